/** The allocator that several threads share, beside the private one, and two threads beside one; and whole pools of either kind. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import {
  ModuleAffinityIndexAllocator,
  SharedIndexAllocator,
  ThreadTable,
  type SharedAllocatorHandle,
  type ThreadSeat,
} from '@guardstripe/index-allocator';
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { cpuTimed, measure, ratio, type Contender, type MeasureOptions } from '../support/measure.ts';
import type { Measurement } from '../support/measure.ts';

const CAPACITY = 1000;
const WARM_LIMIT = 100;
const NUM_MODULES = 16;

type Allocator = Pick<ModuleAffinityIndexAllocator, 'alloc' | 'free'>;

interface Task {
  readonly handle: SharedAllocatorHandle;
  readonly seat: ThreadSeat;
}

interface Order {
  readonly firstModule: number;
  readonly numModules: number;
  readonly pairs: number;
}

/** Two contenders, and what is asked of them. */
export interface Compared {
  readonly what: string;
  readonly reference: Measurement;
  readonly measured: Measurement;
  /** The measured one's time in times of the reference's, the median over the rounds. */
  readonly timesReference: number;
}

function compare(what: string, reference: Measurement, measured: Measurement): Compared {
  return { what, reference, measured, timesReference: ratio(measured, reference) };
}

/** Allocates and frees, the modules taking turns; each finds its slot again. Returns the nanoseconds that took. */
function pairs(allocator: Allocator, { firstModule, numModules, pairs: count }: Order): number {
  const keys = Array.from({ length: numModules }, (_, index) => ({
    moduleId: firstModule + index,
    memoryIndex: 0,
  }));
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) allocator.free(allocator.alloc(keys[i & (numModules - 1)])!, 4096);
  return Number(process.hrtime.bigint() - start);
}

function inThisThread(name: string, allocator: Allocator): Contender {
  return cpuTimed(name, (iterations) => {
    pairs(allocator, { firstModule: 0, numModules: NUM_MODULES, pairs: iterations });
  });
}

/** Some workers at once; what is reported is the time until the last is done, for each pair of all. */
function inWorkers(
  name: string,
  workers: readonly Worker[],
  numModules: number,
  ownModules: boolean,
): Contender {
  return {
    name,
    async time(iterations) {
      const each = Math.ceil(iterations / workers.length);
      const done = workers.map((worker) => once(worker, 'message') as Promise<[number]>);
      for (const [index, worker] of workers.entries()) {
        const firstModule = ownModules ? index * NUM_MODULES : 0;
        worker.postMessage({ firstModule, numModules, pairs: each } satisfies Order);
      }
      const times = await Promise.all(done);
      return Math.max(...times.map(([ns]) => ns));
    },
  };
}

/** Alloc + free of the bare allocators: shared beside private, and two threads beside one. */
export async function measureAllocators(options: MeasureOptions): Promise<readonly Compared[]> {
  const table = new ThreadTable();
  const newShared = (): SharedIndexAllocator =>
    SharedIndexAllocator.create(CAPACITY, WARM_LIMIT, {
      threads: ThreadTable.join(table.add()),
      numShards: 2,
    });
  const privately = new ModuleAffinityIndexAllocator(CAPACITY, WARM_LIMIT);
  const shared = newShared();
  // The engine's compiler has threads of its own, which on a busy machine take longer than the first rounds.
  for (const allocator of [privately, shared]) {
    for (let i = 0; i < 50; i++) pairs(allocator, { firstModule: 0, numModules: NUM_MODULES, pairs: 10_000 });
  }
  const [own, alone] = await measure(
    [inThisThread('private', privately), inThisThread('shared, one thread', shared)],
    options,
  );
  const { workers, close } = await startWorkers(table, newShared());
  const [first] = workers;
  const [oneOwn, twoOwn, oneSame, twoSame] = await measure(
    [
      inWorkers('one thread, 16 modules', [first!], NUM_MODULES, true),
      inWorkers('two threads, 16 modules each', workers, NUM_MODULES, true),
      inWorkers('one thread, one module', [first!], 1, false),
      inWorkers('two threads, the same module', workers, 1, false),
    ],
    options,
  );
  close();
  return [
    compare('shared beside private', own!, alone!),
    compare('two threads, modules of their own', oneOwn!, twoOwn!),
    compare('two threads, one module', oneSame!, twoSame!),
  ];
}

/** Allocate + free of whole pools, a memory of 1 MiB with a 64 KiB image in which nothing is written. */
export async function measurePools(options: MeasureOptions): Promise<Compared> {
  using module = describeMemory({ initial: 16, contents: new Uint8Array(2 ** 16).fill(7) });
  const config = { totalMemories: CAPACITY, maxMemorySize: 2 ** 20 };
  using privately = MemoryPool.create(config);
  using shared = MemoryPool.create({ ...config, shared: true });
  const [own, other] = [privately, shared].map((pool) => {
    const store = pool.openStore();
    return (iterations: number) => {
      for (let i = 0; i < iterations; i++) store.allocate({ module }).free();
    };
  });
  const [reference, measured] = await measure(
    [cpuTimed('private pool', own!), cpuTimed('shared pool, one thread', other!)],
    options,
  );
  return compare('a shared pool beside a private one', reference!, measured!);
}

/** Two workers, each attached, with a home shard each. */
async function startWorkers(
  table: ThreadTable,
  shared: SharedIndexAllocator,
): Promise<{ workers: readonly Worker[]; close: () => void }> {
  const workers = [1, 2].map(() => {
    const seat = table.add();
    const task: Task = { handle: shared.share(), seat };
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once('exit', () => table.end(seat.thread));
    return worker;
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  return { workers, close: () => workers.forEach((worker) => worker.postMessage(undefined)) };
}

function serve(port: NonNullable<typeof parentPort>): void {
  const { handle, seat } = workerData as Task;
  const allocator = SharedIndexAllocator.attach(handle, { threads: ThreadTable.join(seat) });
  port.on('message', (order: Order | undefined) => {
    if (order === undefined) {
      allocator.close();
      port.close();
    } else port.postMessage(pairs(allocator, order));
  });
  port.postMessage('ready');
}

if (parentPort !== null && !isMainThread) serve(parentPort);
