/**
 * What recycling a memory costs, beside what V8 asks for a new one: in the same run, in turns, as medians. Each way ends
 * with the same four pages written through an ArrayBuffer.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryPool, type Store } from '@guardstripe/memory-pool';
import { firstDifference, type Candidate } from './candidate.ts';
import type { Checks } from './checks.ts';
import { median } from './format.ts';
import { withBytes } from './pattern.ts';
import type { Plan } from './plan.ts';
import type { Step } from './progress.ts';
import { instantiate, memoryOf } from './v8-start.ts';
import { webAssembly } from './webassembly.ts';

/** A way to get a memory and be done with it. */
const WAYS = ['dropped', 'kept', 'newMemory', 'newInstance'] as const;
type Way = (typeof WAYS)[number];

/** Medians in milliseconds. */
export interface TimingRow {
  readonly name: string;
  /** Recycled; a free drops the pages that were written. */
  readonly dropped: number;
  /** Recycled; a free writes the pages back and keeps them. */
  readonly kept: number;
  /** `undefined` where V8 makes no such memory: a limit on the address space may be too low for it. */
  readonly newMemory: number | undefined;
  /** `undefined` where V8 has no instance of the module. */
  readonly newInstance: number | undefined;
}

/** How many times longer than recycling something takes: medians over the modules. */
export interface Ratios {
  readonly toDropped: number;
  readonly toKept: number;
}

export interface TimingResult {
  readonly rows: readonly TimingRow[];
  readonly newMemory: Ratios;
  readonly newInstance: Ratios;
}

const ROUNDS = 4;
const RECYCLES_PER_ROUND = 20;
const V8_PER_ROUND = 6;
const DIRTY_PAGES = 4;
const KEPT_BYTES = 2 ** 20;

/** Pools of their own, for the crowd's leaves V8 no mappings for its memories. */
const SLOTS = 3;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export async function timeAll(
  candidates: readonly Candidate[],
  plan: Plan,
  pageSize: number,
  checks: Checks,
  step: Step,
): Promise<TimingResult> {
  const config = { ...plan.config, totalMemories: SLOTS };
  using dropping = MemoryPool.create({ ...config, linearMemoryKeepResident: 0 });
  using keeping = MemoryPool.create({ ...config, linearMemoryKeepResident: KEPT_BYTES });
  using droppingStore = dropping.openStore();
  using keepingStore = keeping.openStore();
  const rows: TimingRow[] = [];
  for (const candidate of candidates) {
    await step.update(candidate.name);
    rows.push(timeOne(candidate, droppingStore, keepingStore, pageSize));
    checkReset(candidate, droppingStore, checks);
    checkReset(candidate, keepingStore, checks);
  }
  return { rows, newMemory: ratios(rows, 'newMemory'), newInstance: ratios(rows, 'newInstance') };
}

function timeOne(candidate: Candidate, dropping: Store, keeping: Store, pageSize: number): TimingRow {
  const { module, memory, v8 } = candidate;
  const recycle = (store: Store) => (): void => {
    const pooled = store.allocate({ module, memoryIndex: memory.index });
    dirty(pooled.unsafeBuffer, pageSize);
    pooled.free();
  };
  const type = v8MemoryType(candidate);
  const ways: Record<Way, (() => void) | undefined> = {
    dropped: recycle(dropping),
    kept: recycle(keeping),
    newMemory: () => dirty(new webAssembly.Memory(type).buffer, pageSize),
    newInstance: v8 && (() => dirty(memoryOf(instantiate(v8), memory.index).buffer, pageSize)),
  };
  const times: Record<Way, number[]> = { dropped: [], kept: [], newMemory: [], newInstance: [] };
  for (let round = 0; round < ROUNDS; round++) {
    // What V8's ways left behind in the last round must not be paid for by recycling in this one. So V8 is shown at its
    // best: its collector gives the pages back, and that is in none of these times.
    collectGarbage();
    for (const way of WAYS) {
      const runOnce = ways[way];
      if (runOnce === undefined) continue;
      if (way === 'dropped' || way === 'kept') measure(runOnce, RECYCLES_PER_ROUND, times[way]);
      else if (!measureV8(runOnce, times[way])) ways[way] = undefined;
    }
  }
  return {
    name: candidate.name,
    dropped: median(times.dropped),
    kept: median(times.kept),
    newMemory: medianOfAny(times.newMemory),
    newInstance: medianOfAny(times.newInstance),
  };
}

function measure(runOnce: () => void, times: number, into: number[]): void {
  for (let index = 0; index < times; index++) {
    const start = performance.now();
    runOnce();
    into.push(performance.now() - start);
  }
}

/** Returns whether V8 did it: what it has no address space for is a RangeError. */
function measureV8(runOnce: () => void, into: number[]): boolean {
  try {
    measure(runOnce, V8_PER_ROUND, into);
    return true;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
}

function medianOfAny(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : median(times);
}

/** Writes a byte to each of four pages, spread over the memory. */
function dirty(buffer: ArrayBuffer, pageSize: number): void {
  const bytes = new Uint8Array(buffer);
  const pages = Math.floor(bytes.byteLength / pageSize);
  for (let index = 0; index < Math.min(DIRTY_PAGES, pages); index++) {
    bytes[Math.floor((pages * index) / DIRTY_PAGES) * pageSize] = 0xff;
  }
}

/** After all these turns the memory must still start as it should. */
function checkReset(candidate: Candidate, store: Store, checks: Checks): void {
  using pooled = store.allocate({ module: candidate.module, memoryIndex: candidate.memory.index });
  const what = withBytes(pooled, (bytes) => firstDifference(bytes, candidate.reference, 'its start'));
  checks.expect(what === undefined, () => `${candidate.name}, recycled many times: ${what}`);
}

/** V8 takes at most 65,536 pages for a memory, whatever the module says. */
function v8MemoryType({ memory, initialBytes }: Candidate): { initial: number; maximum: number } {
  const initial = Math.ceil(initialBytes / 65_536);
  const declared = memory.pageBytes === 65_536 ? Number(memory.maximumPages ?? 65_536n) : 65_536;
  return { initial, maximum: Math.max(Math.min(declared, 65_536), initial) };
}

function ratios(rows: readonly TimingRow[], way: 'newMemory' | 'newInstance'): Ratios {
  const over = (base: 'dropped' | 'kept'): number =>
    median(rows.flatMap((row) => (row[way] === undefined ? [] : row[way] / row[base])));
  return { toDropped: over('dropped'), toKept: over('kept') };
}
