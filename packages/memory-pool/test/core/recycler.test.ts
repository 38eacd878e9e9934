/** What goes to the system by addresses alone: pages of slots that nobody has. */
import { expect, it } from 'vitest';
import { poolCoreOf } from '../../src/pool.js';
import { faultyMemory } from '../support/fault-injection.js';
import { PAGE, scribble, smallPool, zeroModule } from '../support/memories.js';

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

it('a slot in the decommit queue that a tenant has is not dropped, nor are those beside it', () => {
  const faulty = faultyMemory();
  const { virtualMemory, calls } = faulty;
  using pool = smallPool({ virtualMemory, decommitBatchSize: 4 });
  const core = poolCoreOf(pool);
  const store = pool.openStore();
  const memories = [0, 1, 2].map(() => store.allocate({ module: zeroModule() }));
  memories.forEach((memory) => scribble(memory));
  const slots = memories.map(({ slot }) => slot);
  memories.forEach((memory) => memory.free());
  expect(core.queued).toBe(3);
  // As a mistake of ours would have it: freed, and somebody's.
  const list = { head: 0, length: 0 };
  core.records.startTenancy(slots[1]!, PAGE, list);
  faulty.clearCalls();
  expect(() => core.flush()).toThrow(CORRUPTED);
  expect(calls).toEqual([]);
  core.records.endTenancy(slots[1]!, list);
  core.flush();
  expect(core.queued).toBe(0);
});

it('a free slot that a tenant has keeps its pages when the pool is trimmed', () => {
  const faulty = faultyMemory();
  const { virtualMemory, calls } = faulty;
  using pool = smallPool({ virtualMemory, linearMemoryKeepResident: 8 * PAGE });
  const core = poolCoreOf(pool);
  const memory = pool.openStore().allocate({ module: zeroModule() });
  scribble(memory);
  const { slot } = memory;
  memory.free();
  expect(pool.metrics().unusedBytesResident).toBeGreaterThan(0);
  const list = { head: 0, length: 0 };
  core.records.takeState(slot);
  core.records.startTenancy(slot, PAGE, list);
  faulty.clearCalls();
  expect(() => pool.trim(1)).toThrow(CORRUPTED);
  expect(calls).toEqual([]);
  core.records.endTenancy(slot, list);
});
