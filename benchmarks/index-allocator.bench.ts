/**
 * The index allocator's figures, each beside the same policy on Maps and arrays, in the same run.
 *
 *     node index-allocator.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured. The reference checks no arguments and
 * keeps no books beyond its Maps.
 *
 * The workloads are taken from this very module, imported once more for each contender: so each has code of its own,
 * which the engine optimizes for it alone, as in a program that uses only one of them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, type } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { ModuleAffinityIndexAllocator } from '@guardstripe/index-allocator';
import { ModelAllocator } from '../packages/index-allocator/test/model.ts';

type Allocator = Pick<ModuleAffinityIndexAllocator, 'alloc' | 'free'>;

/** Nanoseconds for each of `count` operations. */
type Turn = (count: number) => number;

interface Workload {
  readonly name: string;
  /** What one figure is the time of. */
  readonly unit: string;
  /** The design's budget for ours, in nanoseconds. */
  readonly budgetNs?: number;
  /** Operations of one turn, for ours and for the reference. */
  readonly counts: readonly [ours: number, reference: number];
  readonly prepare: (make: (capacity: number, warmLimit: number) => Allocator) => Turn;
}

const QUICK = process.argv.includes('--quick');
const NUM_SLOTS = QUICK ? 50_000 : 1_000_000;
const SLOTS = QUICK ? 'fifty thousand' : 'a million';

function makeKeys(numKeys: number): { moduleId: number; memoryIndex: number }[] {
  return Array.from({ length: numKeys }, (_, moduleId) => ({ moduleId, memoryIndex: 0 }));
}

/** Time since `start`, for each of `count` operations. */
function nsEach(start: bigint, count: number): number {
  return Number(process.hrtime.bigint() - start) / count;
}

/** Sixteen modules take turns; each finds its own slot again. */
function preparePair(make: (capacity: number, warmLimit: number) => Allocator): Turn {
  const allocator = make(1000, 100);
  const keys = makeKeys(16);
  for (const key of keys) allocator.free(allocator.alloc(key)!, 4096);
  return (count) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) allocator.free(allocator.alloc(keys[i & 15])!, 4096);
    return nsEach(start, count);
  };
}

/**
 * Allocates or frees with equal chance, any key and any live slot. Begins with `numLive` live slots after
 * `numUsed` were used.
 */
function prepareMix(
  numKeys: number,
  warmLimit: number,
  numUsed: number,
  numLive: number,
): Workload['prepare'] {
  return (make) => {
    const allocator = make(NUM_SLOTS, warmLimit);
    const keys = makeKeys(numKeys);
    const live = new Int32Array(NUM_SLOTS);
    let length = 0;
    let random = 12_345;
    function next(): number {
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      return random >>> 0;
    }
    function free(index: number): void {
      allocator.free(live[index]!, 4096);
      live[index] = live[--length]!;
    }
    while (length < numUsed) live[length++] = allocator.alloc(keys[next() % numKeys])!;
    while (length > numLive) free(next() % length);
    return (count) => {
      const start = process.hrtime.bigint();
      for (let i = 0; i < count; i++) {
        const value = next();
        if ((value & 1) === 1 && length > 0) {
          free((value >>> 1) % length);
        } else {
          const slot = allocator.alloc(keys[(value >>> 1) % numKeys]);
          if (slot !== undefined) live[length++] = slot;
        }
      }
      return nsEach(start, count);
    };
  };
}

/** Every one made is kept, so that each gets memory from the kernel that was never used. */
function prepareCreate(make: (capacity: number, warmLimit: number) => Allocator): Turn {
  const kept: Allocator[] = [];
  return (count) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) kept.push(make(NUM_SLOTS, 100));
    return nsEach(start, count);
  };
}

/**
 * The one before was collected. Up to 32 MiB, glibc then hands its memory out again rather than ask the kernel for zero
 * pages, and `calloc` has to clear it: 31 MiB here.
 */
function prepareCreateAgain(make: (capacity: number, warmLimit: number) => Allocator): Turn {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return (count) => {
    // The second collection waits for the first one's sweeper.
    collect();
    collect();
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) make(NUM_SLOTS, 100);
    return nsEach(start, count);
  };
}

/** What is measured. Exported, for this module imports itself. */
export const workloads: readonly Workload[] = [
  {
    name: 'affine pair',
    unit: 'alloc + free',
    budgetNs: 25,
    counts: [200_000, 50_000],
    prepare: preparePair,
  },
  {
    name: 'random mix from empty, 64 modules',
    unit: 'operation',
    budgetNs: 40,
    counts: [200_000, 50_000],
    prepare: prepareMix(64, 100, 0, 0),
  },
  {
    name: 'random mix from empty, 1,024 modules',
    unit: 'operation',
    budgetNs: 40,
    counts: [200_000, 50_000],
    prepare: prepareMix(1024, 100, 0, 0),
  },
  {
    name: `random mix, half of ${SLOTS} live, 1,024 modules`,
    unit: 'operation',
    budgetNs: 40,
    counts: [400_000, 100_000],
    prepare: prepareMix(1024, NUM_SLOTS / 2, NUM_SLOTS, NUM_SLOTS / 2),
  },
  {
    name: `random mix, half of ${SLOTS} live, 65,536 modules`,
    unit: 'operation',
    budgetNs: 40,
    counts: [400_000, 50_000],
    prepare: prepareMix(65_536, NUM_SLOTS / 2, NUM_SLOTS, NUM_SLOTS / 2),
  },
  { name: `${SLOTS} slots`, unit: 'creation', budgetNs: 1e6, counts: [1, 1000], prepare: prepareCreate },
  {
    name: `${SLOTS} slots, once more`,
    unit: 'creation',
    budgetNs: 1e6,
    counts: [1, 1000],
    prepare: prepareCreateAgain,
  },
];

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly budgetNs: number | undefined;
  readonly medianNs: number;
  /** The fastest round: on a busy machine the one that tells most. */
  readonly bestNs: number;
  readonly referenceMedianNs: number;
  /** Median over the rounds of reference / ours. */
  readonly timesFaster: number;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Both take turns, in an order that rotates; the first rounds, in which the engine optimizes, are left out. */
function measure(ours: Workload, reference: Workload, numRounds: number): Figure {
  const turns = [
    ours.prepare((capacity, limit) => new ModuleAffinityIndexAllocator(capacity, limit)),
    reference.prepare((capacity, limit) => new ModelAllocator(capacity, limit)),
  ] as const;
  const times: [number[], number[]] = [[], []];
  for (let round = -3; round < numRounds; round++) {
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const nanoseconds = turns[which](ours.counts[which]);
      if (round >= 0) times[which].push(nanoseconds);
    }
  }
  return {
    name: ours.name,
    unit: ours.unit,
    budgetNs: ours.budgetNs,
    medianNs: median(times[0]),
    bestNs: Math.min(...times[0]),
    referenceMedianNs: median(times[1]),
    timesFaster: median(times[0].map((time, round) => times[1][round]! / time)),
  };
}

/**
 * One random word of 32 MB, the size of a million slots' state, and the same where each address depends on the
 * last.
 */
function measureMemory(): { independentNs: number; dependentNs: number } {
  const numRecords = 1_000_000;
  const words = new Int32Array(numRecords * 8);
  let random = 1;
  const next = (): number => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
    return (random >>> 0) % numRecords;
  };
  for (let i = 0; i < words.length; i += 8) words[i] = next() * 8;
  const count = 2 * numRecords;
  let start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) words[next() * 8 + 1]! += 1;
  const independentNs = nsEach(start, count);
  start = process.hrtime.bigint();
  let at = 0;
  // A walk of random links ends in a short circle, so every step goes on from another place.
  for (let i = 0; i < count; i++) at = (words[at]! + i * 8_008) % words.length;
  const dependentNs = nsEach(start, count);
  return { independentNs, dependentNs: at < 0 ? NaN : dependentNs };
}

async function main(): Promise<void> {
  const { values: args } = parseArgs({
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    kernel: `${type()} ${release()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
  };
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, V8 ${machine.v8}`,
  );
  const memory = measureMemory();
  const format = (nanoseconds: number): string => nanoseconds.toFixed(1);
  console.log(
    `32 MB of memory, a random word: ${format(memory.independentNs)} ns changed, ${format(memory.dependentNs)} ns followed\n`,
  );
  const self = import.meta.url;
  const load = async (name: string): Promise<readonly Workload[]> =>
    ((await import(`${self}?${name}`)) as { workloads: readonly Workload[] }).workloads;
  const figures: Figure[] = [];
  console.log(
    `${'ns'.padEnd(52)}${'budget'.padStart(10)}${'ours'.padStart(12)}${'best'.padStart(12)}${'Maps'.padStart(14)}${'ratio'.padStart(9)}`,
  );
  for (let i = 0; i < workloads.length; i++) {
    // Loaded anew for each workload: what the engine learnt from one would slow the next.
    const ours = (await load(`ours-${i}`))[i]!;
    const reference = (await load(`reference-${i}`))[i]!;
    const figure = measure(ours, reference, QUICK ? 3 : 51);
    figures.push(figure);
    console.log(
      figure.name.padEnd(52) +
        String(figure.budgetNs ?? '').padStart(10) +
        format(figure.medianNs).padStart(12) +
        format(figure.bestNs).padStart(12) +
        format(figure.referenceMedianNs).padStart(14) +
        `${figure.timesFaster.toFixed(1)}x`.padStart(9),
    );
  }
  const loads = loadavg().map((average) => Math.round(average * 100) / 100);
  console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${loads.join(', ')}`);
  if (args.json === undefined) return;
  const path = resolve(args.json);
  mkdirSync(dirname(path), { recursive: true });
  const result = { when: new Date().toISOString(), machine, load: loads, memory, figures };
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
}

if (import.meta.main) await main();
