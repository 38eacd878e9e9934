/** The run, step by step: what is done, in which order, and what becomes of the exit code. */
import { MemoryPool, PoolCreationError } from '@guardstripe/memory-pool';
import { host, type HostInfo } from '@guardstripe/mmap';
import { recycle, type AffinityResult } from './affinity.ts';
import { admit, describeCandidate, type Candidate, type Refusal } from './candidate.ts';
import { Checks } from './checks.ts';
import { holdCrowd, type CrowdResult } from './crowd.ts';
import { bytes, count, duration } from './format.ts';
import { moduleFiles, packagedModules } from './modules.ts';
import { UsageError, type Options } from './options.ts';
import { writePicture } from './picture.ts';
import { makePlan, type Plan } from './plan.ts';
import { addressSpaceBytes, difference, mappingCount, residentMemory } from './process-memory.ts';
import { progressFor, type Progress } from './progress.ts';
import { boundWords, comparisonWords, endText, planText, ratioWords, type Look } from './report.ts';
import { toJson, type PoolResult, type RunResult } from './result.ts';
import { timeAll, type TimingResult } from './timing.ts';

/** What every step works with. */
interface Context {
  readonly host: HostInfo;
  readonly plan: Plan;
  readonly checks: Checks;
  readonly progress: Progress;
}

/** Runs the demo and returns the exit code that `--help` explains. */
export async function run(options: Options): Promise<number> {
  const start = performance.now();
  const look: Look = process.stdout.isTTY && process.env['TERM'] !== 'dumb' ? 'terminal' : 'plain';
  const progress = progressFor(options.json ? 'silent' : look);
  const hostInfo = host();
  const plan = makePlan(hostInfo, options.slots, mappingCount());
  const context: Context = { host: hostInfo, plan, checks: new Checks(), progress };
  progress.line(planText(hostInfo, plan, process.stdout.columns));

  try {
    const result = await work(options, context, start);
    process.stdout.write(options.json ? `${toJson(result)}\n` : endText(result, look));
    return result.exitCode;
  } catch (error) {
    progress.abort();
    // What the demo chooses by itself is what the host has room for.
    if (error instanceof PoolCreationError && options.slots !== undefined)
      throw new UsageError(`--slots ${options.slots} is too many. ${error.message}`);
    throw error;
  }
}

async function work(options: Options, context: Context, start: number): Promise<RunResult> {
  const { host: hostInfo, plan, checks } = context;
  const { pool, poolResult } = createPool(context);
  const { candidates, refused } = await admitAll(options, pool, context);
  const held = candidates.length === 0 ? undefined : await holdAndRecycle(pool, candidates, context);
  // Refuses while memories are live, so this is a check too.
  pool.close();
  const timing = candidates.length === 0 ? undefined : await time(candidates, context);
  for (const { module } of candidates) module.close();
  const svg = picture(options.svg, context);

  const exitCode = exitCodeOf(checks, refused, candidates);
  return {
    ok: exitCode === 0,
    exitCode,
    seconds: (performance.now() - start) / 1000,
    host: hostInfo,
    plan,
    pool: poolResult,
    candidates,
    refused,
    crowd: held?.crowd,
    affinity: held?.affinity,
    timing,
    svg,
    checksMade: checks.made,
    failures: checks.failures,
  };
}

function createPool({ plan, checks, progress }: Context): { pool: MemoryPool; poolResult: PoolResult } {
  const residentBefore = residentMemory();
  const addressSpaceBefore = addressSpaceBytes();
  const start = performance.now();
  const pool = MemoryPool.create(plan.config);
  const createMs = performance.now() - start;
  const poolResult: PoolResult = {
    createMs,
    slabBytes: pool.layout.totalSlabBytes,
    addressSpaceBytes: addressSpaceBytes() - addressSpaceBefore,
    resident: difference(residentMemory(), residentBefore),
  };
  checks.expect(pool.layout.totalSlabBytes === plan.layout.totalSlabBytes, () => {
    return `the plan is a slab of ${plan.layout.totalSlabBytes} bytes, the pool made one of ${pool.layout.totalSlabBytes}`;
  });
  checks.expect(poolResult.addressSpaceBytes >= poolResult.slabBytes, () => {
    return `the process grew by ${poolResult.addressSpaceBytes} bytes of address space, less than the slab has`;
  });
  progress.line(
    `Pool of ${count(plan.slots)} slots made in ${duration(createMs)}: ${bytes(poolResult.slabBytes)} of address space ` +
      `reserved, ${bytes(Math.max(poolResult.resident.rssBytes, 0))} more resident`,
  );
  return { pool, poolResult };
}

async function admitAll(
  options: Options,
  pool: MemoryPool,
  { checks, progress }: Context,
): Promise<{ candidates: Candidate[]; refused: Refusal[] }> {
  const sources = options.files.length === 0 ? packagedModules() : moduleFiles(options.files);
  const candidates: Candidate[] = [];
  const refused: Refusal[] = [];
  const step = progress.step('Comparing with V8');
  for (const source of sources) {
    await step.update(source.name);
    const admission = admit(source, pool, checks);
    if (admission.kind === 'refused') {
      refused.push(admission.refusal);
      step.note(`${source.name}: left out: ${admission.refusal.reason}`);
      continue;
    }
    candidates.push(...admission.candidates);
    for (const candidate of admission.candidates)
      step.note(`${candidate.name}: ${describeCandidate(candidate)}`);
  }
  step.done(comparisonWords(candidates));
  return { candidates, refused };
}

async function holdAndRecycle(
  pool: MemoryPool,
  candidates: readonly Candidate[],
  { host: hostInfo, plan, checks, progress }: Context,
): Promise<{ crowd: CrowdResult; affinity: AffinityResult }> {
  const holding = progress.step('Holding as many memories at once as fit');
  const crowd = await holdCrowd(pool, plan, hostInfo, candidates, checks, holding);
  const { live, bound, sumOfSizesBytes, resident, writtenBytes, allocateMs, verifyMs } = crowd.result;
  holding.done(
    `${count(live)} memories live at once, as many as ${boundWords(bound)}: ${bytes(sumOfSizesBytes)} in all, ` +
      `${bytes(resident.pssBytes)} resident, ${bytes(writtenBytes)} of that written; allocated and written in ${duration(allocateMs)}, ` +
      `verified in ${duration(verifyMs)}`,
  );
  const recycling = progress.step('Freeing them and allocating again');
  const affinity = await recycle(pool, crowd, checks, recycling);
  recycling.done(
    `Freed and allocated again: ${count(affinity.sameSlots)} of ${count(affinity.allocatedAgain)} in a slot of their ` +
      `module, ${count(affinity.comparedBytes)} bytes of ${count(affinity.comparedWhole)} memories compared`,
  );
  return { crowd: crowd.result, affinity };
}

async function time(
  candidates: readonly Candidate[],
  { plan, host: hostInfo, checks, progress }: Context,
): Promise<TimingResult> {
  const step = progress.step('Timing recycling against V8');
  const timing = await timeAll(candidates, plan, hostInfo.pageSize, checks, step);
  step.done(
    `new WebAssembly.Memory ${ratioWords(timing.newMemory)}\nnew WebAssembly.Instance ${ratioWords(timing.newInstance)}`,
  );
  return timing;
}

function picture(path: string | undefined, { plan, checks, progress }: Context): string | undefined {
  try {
    const written = writePicture(plan.layout, path);
    progress.line(`Picture of the slab: ${written}`);
    return written;
  } catch (error) {
    checks.fail(`The picture of the slab could not be written: ${(error as Error).message}`);
    return undefined;
  }
}

function exitCodeOf(checks: Checks, refused: readonly Refusal[], candidates: readonly Candidate[]): number {
  if (checks.failures.length > 0) return 1;
  return candidates.length === 0 || refused.some(({ fault }) => fault) ? 3 : 0;
}
