/** Real threads around one shared allocator. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { SharedIndexAllocator, ThreadTable } from '../../src/index.js';

export type Mode = 'stress' | 'until-killed' | 'waiting' | 'on-demand' | 'coming-and-going';

export interface Running {
  readonly worker: Worker;
  readonly thread: number;
  /** When the first message came. */
  readonly ready: Promise<unknown>;
  /** When the worker is gone, with what it died of. */
  readonly gone: Promise<Error | undefined>;
}

/** An allocator, its threads, and a stamp a slot. */
export class Crew {
  readonly table = new ThreadTable();
  readonly allocator: SharedIndexAllocator;
  readonly #stamps: SharedArrayBuffer;

  constructor(capacity: number, warmLimit: number, numShards: number) {
    const threads = ThreadTable.join(this.table.add());
    this.allocator = SharedIndexAllocator.create(capacity, warmLimit, { threads, numShards });
    this.#stamps = new SharedArrayBuffer(4 * capacity);
  }

  start(mode: Mode, rounds: number, seed: number): Running {
    const seat = this.table.add();
    const workerData = { handle: this.allocator.share(), seat, stamps: this.#stamps, mode, rounds, seed };
    const worker = new Worker(new URL('../fixtures/worker.mjs', import.meta.url), { workerData });
    let error: Error | undefined;
    worker.once('error', (reason: Error) => (error = reason));
    const gone = once(worker, 'exit').then(() => {
      this.table.end(seat.thread);
      return error;
    });
    // A worker that dies of an error before says nothing.
    const ready = Promise.race([once(worker, 'message'), gone]);
    return { worker, thread: seat.thread, ready, gone };
  }

  /** Every slot is free, can be had once, and the books are right. */
  takeAll(): number[] {
    this.allocator.reclaim();
    this.allocator.checkConsistency();
    const slots: number[] = [];
    for (let slot = this.allocator.alloc(); slot !== undefined; slot = this.allocator.alloc())
      slots.push(slot);
    this.allocator.checkConsistency();
    return slots.toSorted((one, other) => one - other);
  }
}
