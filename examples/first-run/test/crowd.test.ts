/** That the demo's checks can fail: a memory that is not as it must be is found and named. */
import { MemoryPool, type PooledMemory } from '@guardstripe/memory-pool';
import { host } from '@guardstripe/mmap';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recycle } from '../src/affinity.ts';
import { admit, firstDifference, type Candidate } from '../src/candidate.ts';
import { Checks } from '../src/checks.ts';
import { holdCrowd } from '../src/crowd.ts';
import { makePlan, type Plan } from '../src/plan.ts';
import { progressFor, type Step } from '../src/progress.ts';
import { data, memories, wasm } from './support/wasm.ts';

const SLOTS = 12;
const step = progressFor('silent').step('test');

let plan: Plan;
let pool: MemoryPool;
let checks: Checks;
const admitted: Candidate[] = [];

beforeEach(() => {
  plan = makePlan(host(), SLOTS, 0);
  pool = MemoryPool.create(plan.config);
  checks = new Checks();
});

afterEach(() => {
  pool.close({ force: true });
  for (const { module } of admitted.splice(0)) module.close();
});

function candidatesOf(...modules: readonly Uint8Array[]): Candidate[] {
  const candidates = modules.flatMap((bytes, index) => {
    const admission = admit({ kind: 'bytes', name: `module ${index}`, bytes }, pool, checks);
    return admission.kind === 'admitted' ? admission.candidates : [];
  });
  admitted.push(...candidates);
  return candidates;
}

const withData = wasm(memories({ minimum: 2 }), data(0, 70_000, [1, 2, 3]));
const otherData = wasm(memories({ minimum: 1, maximum: 3 }), data(0, 100, [4, 5, 6]));
const zeros = wasm(memories({ minimum: 3 }));

describe('holdCrowd and recycle', () => {
  it('fill every slot and find all as it must be', async () => {
    const candidates = candidatesOf(withData, otherData, zeros);
    const crowd = await holdCrowd(pool, plan, host(), candidates, checks, step);
    expect(crowd.result).toMatchObject({ live: SLOTS, bound: '--slots', wrong: 0 });
    expect(new Set(crowd.tenants.map(({ candidate }) => candidate.name)).size).toBe(3);
    const affinity = await recycle(pool, crowd, checks, step);
    expect(affinity).toMatchObject({ freed: SLOTS, sameSlots: SLOTS, allocatedAgain: SLOTS });
    expect(affinity.imagesKept).toBe(affinity.imagesExpected);
    expect(checks.failures).toEqual([]);
  });

  it('find a memory that does not start as it should', async () => {
    const [candidate, ...others] = candidatesOf(withData, otherData, zeros);
    if (candidate === undefined) throw new Error('the module was refused');
    const reference = candidate.reference.slice();
    reference[99_999] = 1;
    const crowd = await holdCrowd(pool, plan, host(), [{ ...candidate, reference }, ...others], checks, step);
    await recycle(pool, crowd, checks, step);
    expect(checks.failures).not.toEqual([]);
    expect(
      checks.failures.every((failure) => /^module 0 in slot \d+, .*byte 0x1869f is 0x0/.test(failure)),
    ).toBe(true);
  });

  it('find memories that come to slots of other modules', async () => {
    const candidates = candidatesOf(withData, otherData, zeros);
    const crowd = await holdCrowd(pool, plan, host(), candidates, checks, step);
    // A pool that has forgotten its modules.
    const dispose = crowd.store.dispose.bind(crowd.store);
    crowd.store.dispose = () => {
      dispose();
      for (const { module } of candidates) pool.purgeModule(module);
    };
    const affinity = await recycle(pool, crowd, checks, step);
    expect(affinity.sameSlots).toBeLessThan(SLOTS);
    expect(checks.failures.join('\n')).toContain(
      `${SLOTS - affinity.sameSlots} of ${SLOTS} memories came to a slot that was not their module's`,
    );
  });

  it('find a memory that somebody else wrote to', async () => {
    const memories = spyOnMemories(pool);
    const candidates = candidatesOf(withData, otherData, zeros);
    const intruder: Step = {
      ...step,
      update(message) {
        // Said after the first memory was verified; the last one is still to come.
        if (message.endsWith('verified'))
          new Uint8Array(memories.at(-1)?.buffer ?? new ArrayBuffer(0)).fill(0);
        return Promise.resolve();
      },
    };
    const crowd = await holdCrowd(pool, plan, host(), candidates, checks, intruder);
    expect(crowd.result.wrong).toBe(1);
    const { slot } = memories.at(-1) ?? {};
    expect(checks.failures[0]).toMatch(new RegExp(`in slot ${slot}: its pattern is not what was written$`));
  });
});

/** Every memory that the pool's stores allocate from now on. */
function spyOnMemories(spied: MemoryPool): PooledMemory[] {
  const memories: PooledMemory[] = [];
  const openStore = spied.openStore.bind(spied);
  spied.openStore = () => {
    const store = openStore();
    const allocate = store.allocate.bind(store);
    store.allocate = (options) => {
      const memory = allocate(options);
      memories.push(memory);
      return memory;
    };
    return store;
  };
  return memories;
}

describe('firstDifference', () => {
  it('finds a difference anywhere, across its chunks', () => {
    const ours = new Uint8Array(3 * 2 ** 20 + 5);
    for (const at of [0, 2 ** 20 - 1, 2 ** 20, 3 * 2 ** 20 + 4]) {
      const theirs = ours.slice();
      theirs[at] = 0xff;
      expect(firstDifference(ours, theirs, 'V8')).toBe(`byte 0x${at.toString(16)} is 0x0, V8 has 0xff`);
    }
    expect(firstDifference(ours, ours.slice(), 'V8')).toBeUndefined();
  });

  it('finds a difference in length', () => {
    expect(firstDifference(new Uint8Array(3), new Uint8Array(2), 'V8')).toBe('has 3 bytes, V8 has 2');
  });
});
