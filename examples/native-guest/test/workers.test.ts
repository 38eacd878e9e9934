/** Worker threads: each with a pool, a stack for signals and a record of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { laps } from '@guardstripe/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultsInstance, faultsModule, trapOf } from './support/faults.ts';
import { describeGuests, guests, smallPool } from './support/prepared.ts';
import { processState } from './support/process-state.ts';

/** koffi leaves a worker's call stack, its guard page and its heap behind: three mappings of 3 MiB, hardly touched. */
const KOFFI_MAPPINGS = 3;
const WORKER = join(import.meta.dirname, 'fixtures', 'worker.ts');

describeGuests('worker threads', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'native-guest-'));
    writeFileSync(join(folder, 'prepared.json'), JSON.stringify(guests()));
  });
  afterAll(() => folder !== undefined && rmSync(folder, { recursive: true, force: true }));

  const work = async (times: number, exhaustsStack: boolean): Promise<{ trapped: number; traps: number }> => {
    const worker = new Worker(WORKER, {
      workerData: { prepared: join(folder, 'prepared.json'), times, exhaustsStack },
    });
    try {
      return await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    } finally {
      await worker.terminate();
    }
  };

  it('trap at the same time, and this one with them', async () => {
    const traps = laps(2000);
    const done = Promise.all([1, 2, 3, 4].map(() => work(traps, true)));
    using module = faultsModule();
    using pool = smallPool();
    using guest = faultsInstance(module, pool);
    for (let n = 0; n < traps; n++) trapOf(() => guest.exports['load8']?.(-1));
    for (const each of await done) expect(each).toEqual({ trapped: traps, traps });
    expect(guest.exports['load8']?.(16)).toBe('g'.charCodeAt(0));
  });

  it('take with them what they had', async () => {
    const times = laps(30, 8);
    // Without running out of stack: that makes the 2 MiB resident which koffi leaves behind.
    for (let n = 0; n < 5; n++) await work(10, false);
    const before = processState();
    for (let n = 0; n < times; n++) await work(10, false);
    const after = processState();
    expect(after.mappings - before.mappings).toBeLessThan(times * (KOFFI_MAPPINGS + 1));
    expect(after.descriptors - before.descriptors).toBeLessThan(times / 3);
    expect(after.residentBytes - before.residentBytes).toBeLessThan(24 * 2 ** 20);
  });
});
