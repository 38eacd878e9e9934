/** Threads that live and die as a test says, all of them played by the thread of the test. */
import { SharedIndexAllocator, type Threads } from '../../src/index.js';

export class PlayedThreads {
  readonly dead = new Set<number>();

  /** What thread number `self` is given. */
  as(self: number): Threads {
    return { self, isAlive: (thread) => !this.dead.has(thread) };
  }

  /** An allocator of thread 1, and further attachments of the threads 2, 3, ... */
  share(capacity: number, warmLimit: number, numThreads: number, numShards?: number): SharedIndexAllocator[] {
    const options = numShards === undefined ? {} : { numShards };
    const first = SharedIndexAllocator.create(capacity, warmLimit, { threads: this.as(1), ...options });
    const others = Array.from({ length: numThreads - 1 }, (_, index) =>
      SharedIndexAllocator.attach(first.share(), { threads: this.as(index + 2) }),
    );
    return [first, ...others];
  }
}
