/** Random sequences of what a program does with masks, against sets in JavaScript and the register itself. */
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { allow, currentMask, keys, ProtectionMask, withMask } from '../src/index.js';
import type { KeyLease, ProtectionKey } from '../src/index.js';
import { AFTER_A_FAULT, rawAllocate, rawFree, rawRights, setRawPkru } from './support/raw.js';
import { describeWithKeys } from './support/with-keys.js';

const NUM_KEYS = 5;

/** Keys by their place in the lease. */
type Keys = readonly number[];

type Step =
  | { readonly kind: 'allow'; readonly open: Keys }
  | { readonly kind: 'fault' }
  | {
      readonly kind: 'with';
      readonly open: Keys;
      readonly inside: readonly Step[];
      readonly end: 'return' | 'throw';
    };

const open = fc.uniqueArray(fc.nat(NUM_KEYS - 1));
const { step } = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.oneof(
    { maxDepth: 4 },
    fc.record({ kind: fc.constant('allow' as const), open }),
    fc.record({ kind: fc.constant('fault' as const) }),
    fc.record({
      kind: fc.constant('with' as const),
      open,
      inside: fc.array(tie('step'), { maxLength: 4 }),
      end: fc.constantFrom('return' as const, 'throw' as const),
    }),
  ),
}));

describeWithKeys('masks', () => {
  let lease: KeyLease;
  let foreign: number;
  afterAll(() => {
    lease.dispose();
    rawFree(foreign);
  });

  it('do what sets do, whatever happens in whatever order', () => {
    foreign = rawAllocate(0);
    lease = keys(NUM_KEYS);
    const held = lease.keys;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        allow(ProtectionMask.all);
        setForeign(foreign, 0b10);
        const everything = held.map((_, i) => i);
        const model = { open: new Set(everything), foreign: 0b10 };
        run(steps, model, held);
        expectTruth(model, held);
      }),
      { numRuns: 200 },
    );
  });

  interface Model {
    open: Set<number>;
    foreign: number;
  }

  function setForeign(id: number, rights: number): void {
    setRawPkru(((pkruWithout(id) | (rights << (2 * id))) >>> 0) & ~0b11);
  }

  function pkruWithout(id: number): number {
    let value = 0;
    for (let key = 1; key < 16; key++) if (key !== id) value |= rawRights(key) << (2 * key);
    return value;
  }

  function run(steps: readonly Step[], model: Model, held: readonly ProtectionKey[]): void {
    for (const each of steps) {
      take(each, model, held);
      expectTruth(model, held);
    }
  }

  function take(each: Step, model: Model, held: readonly ProtectionKey[]): void {
    if (each.kind === 'fault') {
      setRawPkru(AFTER_A_FAULT);
      model.open = new Set();
      model.foreign = 0b01;
      return;
    }
    const mask = each.open.reduce((sum, i) => sum.or(held[i]!), ProtectionMask.zero);
    if (each.kind === 'allow') {
      allow(mask);
      model.open = new Set(each.open);
      return;
    }
    const before = model.open;
    const inside = () => {
      model.open = new Set(each.open);
      expectTruth(model, held);
      run(each.inside, model, held);
      if (each.end === 'throw') throw new Error('out');
    };
    if (each.end === 'throw') expect(() => withMask(mask, inside)).toThrow('out');
    else withMask(mask, inside);
    model.open = before;
  }

  function expectTruth(model: Model, held: readonly ProtectionKey[]): void {
    const wanted = [...model.open].toSorted((a, b) => a - b);
    expect(held.map(({ id }, i) => (rawRights(id) === 0 ? i : -1)).filter((i) => i >= 0)).toEqual(wanted);
    const now = currentMask();
    expect(held.map((key, i) => (now.allows(key) ? i : -1)).filter((i) => i >= 0)).toEqual(wanted);
    expect(rawRights(foreign)).toBe(model.foreign);
    expect(rawRights(0)).toBe(0);
  }
});
