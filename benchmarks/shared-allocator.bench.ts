/**
 * The allocator that several threads share, beside the private one, and two threads beside one.
 *
 *     node shared-allocator.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured. Two threads want two cores of their own; on a machine
 * that does other things as well the ratios say how the load shares its cores out.
 */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import {
  ModuleAffinityIndexAllocator,
  SharedIndexAllocator,
  ThreadTable,
  type SharedAllocatorHandle,
  type ThreadSeat,
} from '@guardstripe/index-allocator';
import { describeMachine, printMachine } from './support/machine.ts';
import { measure, median, ratio, type Contender } from './support/measure.ts';
import { printTable } from './support/table.ts';

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

/** Allocates and frees, the modules taking turns; each finds its slot again. Returns the nanoseconds of a pair. */
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
  return {
    name,
    time: (iterations) =>
      Promise.resolve(pairs(allocator, { firstModule: 0, numModules: NUM_MODULES, pairs: iterations })),
  };
}

/** The given number of workers at once; what is reported is the time until the last is done, for each pair of all. */
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

async function main(): Promise<void> {
  const { values: args } = parseArgs({
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const options = args.quick ? { rounds: 3, turnMs: 5 } : { rounds: 21, turnMs: 20 };
  const machine = describeMachine();
  printMachine(machine);
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
  const alone = await measure(
    [inThisThread('private', privately), inThisThread('shared, one thread', shared)],
    options,
  );
  const { workers, close } = await startWorkers(table, newShared());
  const [first] = workers;
  const together = await measure(
    [
      inWorkers('one worker, 16 modules', [first!], NUM_MODULES, true),
      inWorkers('two workers, 16 modules each', workers, NUM_MODULES, true),
      inWorkers('one worker, one module', [first!], 1, false),
      inWorkers('two workers, the same module', workers, 1, false),
    ],
    options,
  );
  close();
  const figures = [...alone, ...together];
  printTable(
    'alloc + free',
    ['', 'median ns', 'best ns'],
    figures.map(({ name, medianNs, bestNs }) => [name, medianNs.toFixed(1), bestNs.toFixed(1)]),
  );
  const throughput = [0, 2].map((one) => ({
    name: together[one + 1]!.name,
    timesOne: ratio(together[one]!, together[one + 1]!),
  }));
  printTable(
    'pairs a second, beside one worker',
    ['', 'times'],
    throughput.map(({ name, timesOne }) => [name, timesOne.toFixed(2)]),
  );
  const loads = loadavg().map((average) => Math.round(average * 100) / 100);
  console.log(
    `\nshared / private: ${median(alone[1]!.roundsNs.map((ns, round) => ns / alone[0]!.roundsNs[round]!)).toFixed(2)}`,
  );
  console.log(`Load average at the end, over 1, 5 and 15 minutes: ${loads.join(', ')}`);
  if (args.json === undefined) return;
  const path = resolve(args.json);
  mkdirSync(dirname(path), { recursive: true });
  const result = { when: new Date().toISOString(), machine, load: loads, figures, throughput };
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
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
else if (import.meta.main) await main();
