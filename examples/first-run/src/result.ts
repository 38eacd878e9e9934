/** The result of a run, as plain data. */
import type { HostInfo } from '@guardstripe/mmap';
import type { AffinityResult } from './affinity.ts';
import type { Candidate, Refusal } from './candidate.ts';
import type { CrowdResult } from './crowd.ts';
import type { Plan } from './plan.ts';
import type { ResidentMemory } from './process-memory.ts';
import type { TimingResult } from './timing.ts';

export interface PoolResult {
  readonly createMs: number;
  /** Address space that the slab took. */
  readonly slabBytes: number;
  /** What the process grew by, as the kernel counts it: address space, and pages in RAM. */
  readonly addressSpaceBytes: number;
  readonly resident: ResidentMemory;
}

/** What a run came to. The parts after `refused` are there only if a module was left to run on. */
export interface RunResult {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly seconds: number;
  readonly host: HostInfo;
  readonly plan: Plan;
  readonly pool: PoolResult;
  readonly candidates: readonly Candidate[];
  readonly refused: readonly Refusal[];
  readonly crowd: CrowdResult | undefined;
  readonly affinity: AffinityResult | undefined;
  readonly timing: TimingResult | undefined;
  readonly svg: string | undefined;
  readonly checksMade: number;
  readonly failures: readonly string[];
}

/** Plain data for `--json`; sizes are bytes, durations milliseconds. */
export function toJson(result: RunResult): string {
  const { candidates, plan, ...rest } = result;
  const { layout, slots, bound } = plan;
  const modules = candidates.map(({ name, memory, initialBytes, comparison }) => ({
    name,
    memoryIndex: memory.index,
    initialBytes,
    maximumPages: memory.maximumPages === undefined ? null : Number(memory.maximumPages),
    pageBytes: memory.pageBytes,
    initialization: memory.initialization,
    image: memory.image ?? null,
    comparison,
  }));
  const shownPlan = { slots, bound, totalSlabBytes: layout.totalSlabBytes, layout };
  return JSON.stringify({ ...rest, plan: shownPlan, modules }, undefined, 2);
}
