/** Real worker threads. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { THREAD_MASK } from '../../src/shared/holders.js';
import { placeShards } from '../../src/shared/shape.js';
import { LOCK } from '../../src/shared/words.js';
import { Crew, type Running } from '../support/workers.js';

const NUM_KILLED = laps(24, 8);
const NUM_CALLS = laps(30_000);

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

describe('workers that take and free', () => {
  const crews: [number, number, number][] = [
    [2, 8, 1],
    [3, 130, 2],
    [8, 100, 4],
  ];

  it.each(sampled(crews))(
    '%i of them, %i slots in %i shards: no slot is given to two',
    async (numWorkers, capacity, numShards) => {
      const crew = new Crew(capacity, 10, numShards);
      const running = range(numWorkers).map((index) => crew.start('stress', NUM_CALLS, 1 + index));
      expect(await Promise.all(running.map(({ gone }) => gone))).toEqual(running.map(() => undefined));
      expect(crew.allocator.length).toBe(0);
      expect(crew.takeAll()).toEqual(range(capacity));
    },
  );

  it('come and go, some with slots in their hands', async () => {
    const crew = new Crew(60, 10, 3);
    const running = range(4).map((index) => crew.start('coming-and-going', 100, 77 + index));
    expect(await Promise.all(running.map(({ gone }) => gone))).toEqual(running.map(() => undefined));
    expect(crew.allocator.length).toBe(0);
    expect(crew.takeAll()).toEqual(range(60));
  });
});

describe('workers that wait', () => {
  it('all get their turn, with fewer slots than threads', async () => {
    const crew = new Crew(2, 2, 2);
    const running = range(4).map((index) => crew.start('waiting', 150, 5 + index));
    expect(await Promise.all(running.map(({ gone }) => gone))).toEqual(running.map(() => undefined));
    expect(crew.takeAll()).toEqual([0, 1]);
  });

  it('are served in the order in which they came, whatever thread they wait in', async () => {
    const crew = new Crew(1, 1, 1);
    const { allocator } = crew;
    const running = range(3).map((index) => crew.start('on-demand', 0, 1 + index));
    await Promise.all(running.map(({ ready }) => ready));
    const slot = allocator.alloc()!;
    const order = [0, 1, 2, 1, 0, 2, 2, 0];
    const served: number[] = [];
    const all = new Promise<void>((resolve) => {
      for (const { worker } of running) {
        worker.on('message', ({ served: name, rank }: { served?: number; rank: number }) => {
          if (name === undefined) return;
          served[rank] = name;
          if (Object.keys(served).length === order.length) resolve();
        });
      }
    });
    for (const [name, which] of order.entries()) {
      const { worker } = running[which]!;
      const standing = once(worker, 'message');
      worker.postMessage({ name });
      await standing;
    }
    allocator.free(slot, 0);
    await all;
    expect(served).toEqual([...order.keys()]);
    for (const { worker } of running) worker.postMessage('end');
    await Promise.all(running.map(({ gone }) => gone));
    expect(crew.takeAll()).toEqual([0]);
  });

  it('do not lose their turn to one that is killed in line, or with the slot', async () => {
    const crew = new Crew(2, 2, 1);
    const killed = range(4).map((index) => crew.start('waiting', 2000, 9 + index));
    const waiting = range(2).map((index) => crew.start('waiting', 200, 90 + index));
    await Promise.all(killed.map(({ ready }) => ready));
    for (const { worker } of killed) await worker.terminate();
    expect(await Promise.all(waiting.map(({ gone }) => gone))).toEqual([undefined, undefined]);
    await Promise.all(killed.map(({ gone }) => gone));
    expect(crew.takeAll()).toEqual([0, 1]);
  });
});

describe(`a storm: ${NUM_KILLED} workers, killed at any moment`, () => {
  it.each(sampled([1, 4]))(
    'leaves every slot free and the books right, with %i shards',
    async (numShards) => {
      const capacity = 100;
      const crew = new Crew(capacity, 10, numShards);
      const locks = placeShards(capacity, 10, numShards).map(({ control }) => control + LOCK);
      const words = new Int32Array(crew.allocator.share().indexAllocator);
      let random = 12_345 + numShards;
      const next = (below: number): number => {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
        return (random >>> 8) % below;
      };
      const alive: Running[] = [];
      let numLocksHeld = 0;
      let numSlotsHeld = 0;
      for (let killed = 0; killed < NUM_KILLED; killed++) {
        while (alive.length < 3) alive.push(crew.start('until-killed', 0, 1 + killed * 3 + alive.length));
        const [victim] = alive.splice(next(alive.length), 1);
        await victim!.ready;
        await sleep(next(4));
        await victim!.worker.terminate();
        expect(await victim!.gone).toBeUndefined();
        if (locks.some((at) => (Atomics.load(words, at) & THREAD_MASK) === victim!.thread)) numLocksHeld++;
        numSlotsHeld += crew.allocator.reclaim();
        if (killed % 8 === 0) crew.allocator.checkConsistency();
      }
      for (const { worker } of alive) await worker.terminate();
      expect(await Promise.all(alive.map(({ gone }) => gone))).toEqual(alive.map(() => undefined));
      if (NUM_KILLED > 24) console.log(`${numLocksHeld} left a lock, ${numSlotsHeld} slots came back`);
      const slots = crew.takeAll();
      expect(slots).toEqual(range(capacity));
      expect(numSlotsHeld).toBeGreaterThan(0);
    },
  );
});
