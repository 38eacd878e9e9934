/** The hardware stops a guest, and nobody but the guest notices. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { MemoryPool } from '@guardstripe/memory-pool';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { GuestInstance } from '../src/guest-instance.ts';
import type { GuestModule } from '../src/guest-module.ts';
import { TrapError } from '../src/trap-error.ts';
import { faultsInstance, faultsModule, trapOf } from './support/faults.ts';
import { describeGuests, guests, loadPlugin, type Plugin, smallPool } from './support/prepared.ts';

const PAGE = 65_536;
const GIB_4 = 2 ** 32;

const OUT_OF_BOUNDS: readonly {
  readonly what: string;
  readonly call: (instance: GuestInstance) => unknown;
  readonly bytesPastEnd: number;
  readonly access: 'read' | 'write';
}[] = [
  {
    what: 'the first byte past the end',
    call: ({ exports }) => exports['load8']?.(PAGE),
    bytesPastEnd: 0,
    access: 'read',
  },
  {
    what: 'a word across the end',
    call: ({ exports }) => exports['load32']?.(PAGE - 1),
    bytesPastEnd: 0,
    access: 'read',
  },
  {
    what: 'a write just past the end',
    call: ({ exports }) => exports['store8']?.(PAGE + 7, 1),
    bytesPastEnd: 7,
    access: 'write',
  },
  {
    what: 'the last byte before 4 GiB',
    call: ({ exports }) => exports['load8']?.(-1),
    bytesPastEnd: GIB_4 - 1 - PAGE,
    access: 'read',
  },
  {
    what: 'a negative offset',
    call: ({ exports }) => exports['store64']?.(-4096, 1n),
    bytesPastEnd: GIB_4 - 4096 - PAGE,
    access: 'write',
  },
  {
    what: 'far in the guard',
    call: ({ exports }) => exports['load8_far']?.(-1),
    bytesPastEnd: GIB_4 + 2 ** 24 - 1 - PAGE,
    access: 'read',
  },
  {
    what: 'a loop that runs off the end',
    call: ({ exports }) => exports['fill_up']?.(PAGE - 100, 9),
    bytesPastEnd: 0,
    access: 'write',
  },
];

/** Every way a guest's own runtime stops it. */
const RAISED: readonly (readonly [reason: TrapError['reason'], name: string, args: readonly unknown[]])[] = [
  ['unreachable', 'unreachable', []],
  ['divide by zero', 'divide', [1, 0]],
  ['integer overflow', 'divide', [-(2 ** 31), -1]],
  ['integer overflow', 'truncate', [1e300]],
  ['invalid conversion to integer', 'truncate', [Number.NaN]],
  ['invalid indirect call', 'call_entry', [1]],
  ['invalid indirect call', 'call_entry', [2]],
  ['invalid indirect call', 'call_entry', [99]],
  ['memory access out of bounds', 'fill', [PAGE - 10, 1, 11]],
  ['call stack exhausted', 'recurse', [0n]],
];

describeGuests('a guest that goes wrong', () => {
  let module: GuestModule;
  let plugin: Plugin;
  let pool: MemoryPool;
  let tenants: GuestInstance[];

  beforeAll(() => {
    module = faultsModule();
    plugin = loadPlugin(guests().plugin.library);
  });
  afterAll(() => module?.close());
  beforeEach(() => {
    pool = smallPool();
    tenants = [1, 2, 3, 4, 5].map(() => faultsInstance(module, pool));
    for (const [index, { pooledMemory }] of tenants.entries()) {
      new Uint8Array(pooledMemory.unsafeBuffer).fill(index + 1);
    }
  });
  afterEach(() => pool?.close({ force: true }));

  const bytesOf = ({ pooledMemory }: GuestInstance): string =>
    createHash('sha256').update(new Uint8Array(pooledMemory.unsafeBuffer)).digest('hex');
  const bytesOfOthers = (slot: number): string[] =>
    tenants.filter(({ pooledMemory }) => pooledMemory.slot !== slot).map(bytesOf);

  it.each(OUT_OF_BOUNDS)('is stopped at $what', ({ call, bytesPastEnd, access }) => {
    for (const guest of tenants) {
      const { slot, address } = guest.pooledMemory;
      const before = bytesOfOthers(slot);

      const error = trapOf(() => call(guest));

      expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
      expect(error).toMatchObject({ code: 'ERR_GUEST_TRAP', reason: 'memory access out of bounds', slot });
      expect(error.fault).toMatchObject({
        bytesPastEnd,
        access,
        memoryOffset: bytesPastEnd + PAGE,
        address: address + PAGE + bytesPastEnd,
        siCode: 2,
        protectionKey: undefined,
      });
      expect(error.fault?.location).toMatchObject({ slot, memoryBytes: PAGE, bytesPastEnd });
      const distance =
        bytesPastEnd === 0 ? 'the first byte' : `${bytesPastEnd.toLocaleString('en-US')} bytes`;
      expect(error.message).toContain(`${distance} past the end of the memory in slot ${slot}`);
      expect(bytesOfOthers(slot)).toEqual(before);
    }
  });

  it('keeps what it wrote before it was stopped, as WebAssembly has it', () => {
    const [guest] = tenants as [GuestInstance];
    trapOf(() => guest.exports['fill_up']?.(PAGE - 100, 9));
    const bytes = new Uint8Array(guest.pooledMemory.unsafeBuffer);
    expect([...bytes.subarray(PAGE - 101)]).toEqual([1, ...Array.from({ length: 100 }, () => 9)]);
  });

  it('is stopped by native code that counts backwards, in the guard or in the slot before', () => {
    for (const { pooledMemory } of tenants) {
      const others = bytesOfOthers(pooledMemory.slot);
      for (const offset of [-1, -4096, -(2 ** 24)]) {
        expect(plugin.read(pooledMemory.address, offset)).toBe(-1);
        expect(plugin.write(pooledMemory.address, offset, 7)).toBe(-1);
      }
      expect(bytesOfOthers(pooledMemory.slot)).toEqual(others);
    }
  });

  it.each(RAISED)('is stopped: %s, by %s(%s)', (reason, name, args) => {
    const [guest] = tenants as [GuestInstance];
    const before = tenants.map(bytesOf);
    const error = trapOf(() => guest.exports[name]?.(...args));
    expect(error).toMatchObject({ reason, fault: undefined, slot: guest.pooledMemory.slot });
    expect(error.message).toContain(`the guest in slot ${guest.pooledMemory.slot} (stripe 0)`);
    expect(tenants.map(bytesOf)).toEqual(before);
  });

  it('can be called again, and keeps its state', () => {
    const [guest] = tenants as [GuestInstance];
    expect(guest.exports['count']?.()).toBe(1);
    for (const { call } of OUT_OF_BOUNDS) trapOf(() => call(guest));
    trapOf(() => guest.exports['recurse']?.(0n));
    expect(guest.exports['count']?.()).toBe(2);
  });

  it('leaves a slot that is reset and used again', () => {
    for (let round = 0; round < 10; round++) {
      const [guest] = tenants.splice(1, 1) as [GuestInstance];
      const { slot } = guest.pooledMemory;
      trapOf(() => guest.exports['fill_up']?.(0, 0xee));
      guest.free();

      const next = faultsInstance(module, pool);
      tenants.splice(1, 0, next);
      expect(next.pooledMemory.slot).toBe(slot);
      const bytes = Buffer.from(next.pooledMemory.unsafeBuffer);
      expect(bytes.toString('latin1', 16, 27)).toBe('guardstripe');
      expect([...bytes.subarray(40_000, 40_004)]).toEqual([1, 2, 3, 4]);
      expect(bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0)).toBe(11 + 4);
      expect(next.exports['count']?.()).toBe(1);
    }
  });

  it('leaves V8 its own traps', () => {
    const v8 = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(guests().faults.wasm)), {
      env: { ask: () => 1 },
    });
    const load = v8.exports['load8'] as (at: number) => number;
    for (let round = 0; round < 3; round++) {
      trapOf(() => tenants[0]?.exports['load8']?.(-1));
      expect(() => load(-1)).toThrow(WebAssembly.RuntimeError);
      expect(() => load(-1)).not.toThrow(TrapError);
    }
  });

  it('leaves the signal mask as it found it', () => {
    const SIGUSR2 = 12;
    const before = plugin.blockedSignals();
    plugin.blockSignal(SIGUSR2, 1);
    const [guest] = tenants as [GuestInstance];
    for (const { call } of OUT_OF_BOUNDS) trapOf(() => call(guest));
    trapOf(() => guest.exports['recurse']?.(0n));
    expect(plugin.blockedSignals()).toBe(before | (1n << BigInt(SIGUSR2 - 1)));
    plugin.blockSignal(SIGUSR2, 0);
    expect(plugin.blockedSignals()).toBe(before);
  });
});
