/**
 * Slots of GPUs, or of worker processes, that are slow to warm up: a slot that ran a model last still has its weights.
 * `ModuleAffinityIndexAllocator` gives a job the slot that ran the same model last, if one is free.
 *
 *     job (model) ──▶ alloc({ moduleId: model }) ──▶ weights there? else load them ──▶ run ──▶ free
 *
 * The GPUs are simulated; the same jobs are run twice, with affinity and without. Nothing depends on the clock.
 */
import { ModuleAffinityIndexAllocator, type MemoryKey } from '@guardstripe/index-allocator';

const GPUS = 4;
const SLOTS_PER_GPU = 8;
const SLOTS = GPUS * SLOTS_PER_GPU;
const MODELS = 60;
const JOBS = 20_000;
const LOAD_SECONDS = 4;
/** Slots that are busy at a time. */
const BUSY_SLOTS = 12;

/** Numbers in [0, 1), the same in every run (Marsaglia's xorshift). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A few models are wanted often, most of them now and then (Zipf's law). */
function pickModel(random: () => number): number {
  return Math.floor(MODELS ** random()) - 1;
}

interface Outcome {
  readonly hits: number;
  readonly loads: readonly number[];
}

function runJobs(keyOf: (model: number) => MemoryKey | undefined): Outcome {
  const random = makeRandom(2026);
  const allocator = new ModuleAffinityIndexAllocator(SLOTS, SLOTS);
  const modelInSlot = new Int32Array(SLOTS).fill(-1);
  const loads = Array.from({ length: GPUS }, () => 0);
  const busy: number[] = [];
  let hits = 0;
  for (let job = 0; job < JOBS; job += 1) {
    // Jobs end in any order.
    if (busy.length === BUSY_SLOTS) {
      const [done] = busy.splice(Math.floor(random() * BUSY_SLOTS), 1);
      if (done !== undefined) allocator.free(done, 0);
    }
    const model = pickModel(random);
    const slot = allocator.alloc(keyOf(model));
    if (slot === undefined) throw new Error('All slots are busy');
    const gpu = Math.floor(slot / SLOTS_PER_GPU);
    if (modelInSlot[slot] === model) hits += 1;
    else loads[gpu] = (loads[gpu] ?? 0) + 1;
    modelInSlot[slot] = model;
    busy.push(slot);
  }
  allocator.checkConsistency();
  return { hits, loads };
}

function report(name: string, { hits, loads }: Outcome): void {
  const total = loads.reduce((sum, count) => sum + count, 0);
  const hours = (total * LOAD_SECONDS) / 3600;
  console.log(
    `${name.padEnd(18)}${((100 * hits) / JOBS).toFixed(1).padStart(5)} % of jobs found their weights; ` +
      `${String(total).padStart(5)} loads, ${hours.toFixed(1).padStart(4)} GPU hours of loading (by GPU: ${loads.join(', ')})`,
  );
}

console.log(
  `${JOBS} jobs for ${MODELS} models on ${GPUS} GPUs of ${SLOTS_PER_GPU} slots, ${BUSY_SLOTS} busy at a time`,
);
const withAffinity = runJobs((model) => ({ moduleId: model, memoryIndex: 0 }));
const without = runJobs(() => undefined);
report('with affinity', withAffinity);
report('without', without);
process.exitCode = withAffinity.hits > without.hits ? 0 : 1;
