/** Whatever is called in whatever order: the native guest does what the same module does in V8. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GuestModule } from '../src/guest-module.ts';
import { faultsInstance, faultsInV8, faultsModule } from './support/faults.ts';
import { describeGuests, smallPool } from './support/prepared.ts';

const address = fc.oneof(
  fc.integer({ min: 0, max: 4 * 65_536 }),
  fc.integer({ min: 65_520, max: 65_550 }),
  fc.integer(),
);
const i32 = fc.integer();
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const call = fc.oneof(
  fc.tuple(fc.constantFrom('load8', 'load32', 'load64', 'load8_far', 'ask_then_load'), fc.tuple(address)),
  fc.tuple(fc.constant('store8'), fc.tuple(address, i32)),
  fc.tuple(fc.constant('store64'), fc.tuple(address, i64)),
  fc.tuple(fc.constant('fill'), fc.tuple(address, i32, fc.nat(70_000))),
  fc.tuple(fc.constant('fill_up'), fc.tuple(fc.integer({ min: 65_000, max: 300_000 }), i32)),
  fc.tuple(fc.constant('divide'), fc.tuple(i32, fc.oneof(i32, fc.integer({ min: -1, max: 1 })))),
  fc.tuple(fc.constant('truncate'), fc.tuple(fc.oneof(fc.double(), fc.integer()))),
  fc.tuple(fc.constant('call_entry'), fc.tuple(fc.nat(4))),
  fc.tuple(fc.constant('grow'), fc.tuple(fc.oneof(fc.nat(2), i32))),
  fc.tuple(fc.constantFrom('pages', 'count', 'unreachable'), fc.constant([])),
  fc.tuple(fc.constant('sum64'), fc.tuple(i64, i64)),
  fc.tuple(fc.constant('mix'), fc.tuple(fc.double(), fc.double())),
  fc.tuple(fc.constant('work'), fc.tuple(fc.nat(60_000), i32)),
);

type Call = (...args: unknown[]) => unknown;

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return 'trap';
    throw error;
  }
}

describeGuests('the native guest', () => {
  let module: GuestModule;
  beforeAll(() => {
    module = faultsModule();
  });
  afterAll(() => module?.close());

  it('does what V8 does', () => {
    using pool = smallPool();
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 30 }), (calls) => {
        using native = faultsInstance(module, pool);
        const v8 = faultsInV8();
        for (const [name, args] of calls) {
          const nativeOutcome = outcome(() => (native.exports[name] as Call)(...args));
          const v8Outcome = outcome(() => (v8.exports[name] as Call)(...args));
          expect(nativeOutcome, `${name}(${args.join(', ')})`).toEqual(v8Outcome);
        }
        const [ours, theirs] = [native.exports.memory.buffer, v8.exports.memory.buffer];
        expect(ours.byteLength).toBe(theirs.byteLength);
        expect(Buffer.compare(Buffer.from(ours), Buffer.from(theirs))).toBe(0);
      }),
      { numRuns: 1000 },
    );
    expect(pool.isEmpty).toBe(true);
  });

  it('takes and gives numbers as V8 does', () => {
    using pool = smallPool();
    using native = faultsInstance(module, pool);
    const v8 = faultsInV8();
    for (const args of [
      [undefined],
      ['16'],
      [16.9],
      [2 ** 32 + 16],
      [null],
      [true],
      [{ valueOf: () => 17 }],
    ]) {
      expect((native.exports['load8'] as Call)(...args)).toBe((v8.exports['load8'] as Call)(...args));
    }
    for (const { exports } of [native, v8]) {
      expect(() => (exports['load8'] as Call)(1n)).toThrow(TypeError);
      expect(() => (exports['sum64'] as Call)(1, 1n)).toThrow(TypeError);
      expect((exports['load8'] as Call)()).toBe(0);
      expect((exports['store8'] as Call)(1, 1)).toBe(undefined);
      expect((exports['sum64'] as Call)(1n, 2n)).toBe(3n);
    }
  });
});
