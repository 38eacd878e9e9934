/**
 * Stryker's plugin that runs the tests in the process that it starts itself. Its runner for vitest starts a thread and loads all
 * modules again for each mutant: a second, where the tests that kill it take a millisecond.
 */
import { globSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import {
  commonTokens,
  declareClassPlugin,
  declareValuePlugin,
  PluginKind,
  tokens,
} from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  toMutantRunResult,
  TestStatus,
  type DryRunResult,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
} from '@stryker-mutator/api/test-runner';
import type { InstrumenterContext, StrykerOptions } from '@stryker-mutator/api/core';
import type { Ignorer } from '@stryker-mutator/api/ignore';
import fc from 'fast-check';
import { collect, collected, type CollectedTest } from './vitest-in-process.ts';

export const RUNNER = 'in-process';
export const ADDS_ZERO = 'adds-zero';

/**
 * The slowest, which kill nothing that others do not: a capacity of a million, a trace that is checked after each of thousands of
 * steps, and the explorations with the most states.
 */
const LEFT_OUT =
  /a million: every slot|trace-6\.json > is what|that frees and two that take|of whom the first dies|that bury a third/;

/** Processor time that a test may take: as many times as much as without a mutant, and some microseconds. */
const PATIENCE = 5;
const LEAST_CPU_TIME = 100_000;

/** Milliseconds that a test may idle, as one does that waits for a promise: as many times as much as without a mutant, and these. */
const LEAST_IDLE_MS = 1000;

/** How often a test may lie down in `Atomics.wait`, which ends by itself: all threads are played by one, which nobody wakes. */
const MOST_SLEEPS = 10;

/** Most milliseconds of a property: a mutant mostly dies of the first cases. */
const PROPERTY_MS = 100;

/** In place of a test's id, while tests are declared. */
const COLLECTING = 'collecting';

class InProcessRunner implements TestRunner {
  static inject = tokens(commonTokens.options);
  readonly #patterns: readonly string[];
  readonly #sources: readonly string[];
  readonly #notSources: readonly string[];
  /** Processor time of each test without a mutant, in microseconds, as far as it is known here. */
  readonly #cpuTimes = new Map<string, number>();
  /** The same of its idle time, in milliseconds. */
  readonly #idleTimes = new Map<string, number>();
  readonly #stryker: InstrumenterContext;
  #activeMutant: string | undefined;
  #numLooks = 0;
  #numSleeps = 0;
  #endOfCpuTime = Infinity;
  #hasRunAway = false;

  constructor({ testFiles, mutate }: StrykerOptions) {
    this.#patterns = testFiles;
    this.#sources = mutate.filter((pattern) => !pattern.startsWith('!'));
    this.#notSources = mutate.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
    this.#stryker = (globalThis as { __stryker__?: InstrumenterContext }).__stryker__ ??= {};
    // Mutated code asks at every place that has mutants: so what loops for ever can be ended without ending the process.
    Object.defineProperty(this.#stryker, 'activeMutant', { get: () => this.#lookAtActive() });
  }

  capabilities() {
    return { reloadEnvironment: false };
  }

  async init(): Promise<void> {
    importFromSources();
    // The same cases for each mutant.
    fc.configureGlobal({ seed: 1, interruptAfterTimeLimit: PROPERTY_MS, markInterruptAsFailure: false });
    // What a mutant leaves behind is not the next one's.
    process.on('unhandledRejection', () => undefined);
    process.on('uncaughtException', (error) => failRunning(error));
    noteTimers();
    this.#countSleeps();
    // What runs as the sources are loaded is their constants; what runs as tests are declared is no test. A mutant that only
    // either of them meets would need a new process for each.
    for (const path of globSync([...this.#sources], { exclude: this.#notSources })) await import(urlOf(path));
    this.#stryker.currentTestId = COLLECTING;
    for (const path of globSync([...this.#patterns]).toSorted()) await collect(path, urlOf(path));
    delete this.#stryker.currentTestId;
  }

  async dryRun(): Promise<DryRunResult> {
    const tests: TestResult[] = [];
    for (const test of collected.filter(({ name }) => !LEFT_OUT.test(name))) {
      this.#stryker.currentTestId = test.id;
      tests.push(await this.#runUnchanged(test));
    }
    delete this.#stryker.currentTestId;
    const { mutantCoverage } = this.#stryker;
    delete mutantCoverage?.perTest[COLLECTING];
    return { status: DryRunStatus.Complete, tests, ...(mutantCoverage && { mutantCoverage }) };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }: MutantRunOptions): Promise<MutantRunResult> {
    const chosen = new Set(testFilter);
    const candidates = collected.filter(({ id, name }) =>
      testFilter === undefined ? !LEFT_OUT.test(name) : chosen.has(id),
    );
    for (const test of candidates) if (!this.#cpuTimes.has(test.id)) await this.#runUnchanged(test);
    const cpuTime = ({ id }: CollectedTest): number => this.#cpuTimes.get(id) ?? 0;
    const tests: TestResult[] = [];
    this.#stryker.hitCount = 0;
    this.#stryker.hitLimit = hitLimit ?? Infinity;
    for (const test of candidates.toSorted((one, other) => cpuTime(one) - cpuTime(other))) {
      this.#endOfCpuTime = now() + PATIENCE * cpuTime(test) + LEAST_CPU_TIME;
      this.#numSleeps = 0;
      this.#activeMutant = activeMutant.id;
      const mostIdleMs = PATIENCE * (this.#idleTimes.get(test.id) ?? 0) + LEAST_IDLE_MS;
      const result = await run(test, mostIdleMs, () => (this.#hasRunAway = true));
      this.#activeMutant = undefined;
      tests.push(result);
      if (this.#hasRunAway) break;
      if (result.status === TestStatus.Failed) break;
    }
    const limitReached = determineHitLimitReached(this.#stryker.hitCount, hitLimit);
    if (this.#hasRunAway) {
      this.#hasRunAway = false;
      return toMutantRunResult({ status: DryRunStatus.Timeout, reason: 'it does not end' });
    }
    return toMutantRunResult(limitReached ?? { status: DryRunStatus.Complete, tests });
  }

  async #runUnchanged(test: CollectedTest): Promise<TestResult> {
    const start = now();
    const idleMs = idleTime();
    const result = await run(test);
    this.#cpuTimes.set(test.id, now() - start);
    this.#idleTimes.set(test.id, idleTime() - idleMs);
    return result;
  }

  /** A lock that is never let go is waited for outside mutated code. */
  #countSleeps(): void {
    const { wait } = Atomics;
    Atomics.wait = (...args: unknown[]) => {
      if (this.#activeMutant !== undefined && ++this.#numSleeps > MOST_SLEEPS) {
        this.#hasRunAway = true;
        throw new Error('The mutant waits for ever');
      }
      return Reflect.apply(wait, Atomics, args) as 'ok' | 'not-equal' | 'timed-out';
    };
  }

  #lookAtActive(): string | undefined {
    this.#numLooks = (this.#numLooks + 1) & 0xffff;
    if (this.#numLooks === 0 && this.#activeMutant !== undefined && now() > this.#endOfCpuTime) {
      this.#hasRunAway = true;
      throw new Error('The mutant does not end');
    }
    return this.#activeMutant;
  }
}

function urlOf(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

/** By the processor time of this process: other processes do not make a test run away. */
function now(): number {
  return process.cpuUsage().user;
}

/** By the event loop: a process that others keep from running is not idle. In milliseconds. */
function idleTime(): number {
  return performance.eventLoopUtilization().idle;
}

/** Ends the test that runs with an error that nobody caught, as one in a timer. */
let failRunning: (error: unknown) => void = () => undefined;

/** How often {@link run} looks whether a test idles, in milliseconds. */
const LOOK_MS = 100;

const startTimer = globalThis.setTimeout;
const timersOfTest = new Set<NodeJS.Timeout>();

/** Notes the timers that tests start, for {@link run} to stop. */
function noteTimers(): void {
  const noting = (...args: Parameters<typeof startTimer>): NodeJS.Timeout => {
    const timer = startTimer(...args);
    timersOfTest.add(timer);
    return timer;
  };
  globalThis.setTimeout = Object.assign(noting, startTimer);
}

/** Runs a test to its end, or until it has idled for so long that it waits for ever. */
async function run(test: CollectedTest, mostIdleMs = Infinity, onForever?: () => void): Promise<TestResult> {
  const start = performance.now();
  const startIdleMs = idleTime();
  let failureMessage: string | undefined;
  let look: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      failRunning = reject;
      look = setInterval(() => {
        if (idleTime() - startIdleMs < mostIdleMs) return;
        onForever?.();
        reject(new Error('The mutant waits for ever'));
      }, LOOK_MS);
      test.run().then(resolve, reject);
    });
  } catch (error) {
    failureMessage = error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    failRunning = () => undefined;
    clearInterval(look);
    for (const timer of timersOfTest) clearTimeout(timer);
    timersOfTest.clear();
  }
  const { id, name, file } = test;
  const base = { id, name, fileName: resolve(file), timeSpentMs: performance.now() - start };
  return failureMessage === undefined
    ? { ...base, status: TestStatus.Success }
    : { ...base, status: TestStatus.Failed, failureMessage };
}

/** Sources import each other as what they are built to, and tests import vitest. */
function importFromSources(): void {
  const vitest = new URL('vitest-in-process.ts', import.meta.url).href;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === 'vitest' && context.parentURL !== vitest) return { url: vitest, shortCircuit: true };
      const isSource = specifier.startsWith('.') && context.parentURL?.endsWith('.ts') === true;
      return nextResolve(isSource ? specifier.replace(/\.js$/, '.ts') : specifier, context);
    },
  });
}

/** Words that come first in their records: `at - TAG` is what `at + TAG` is. */
const ZEROS: ReadonlySet<string | undefined> = new Set(['TAG', 'SEAT_THREAD']);

/** See {@link ZEROS}. */
const addsZero: Ignorer = {
  shouldIgnore(path) {
    // A path of Babel's, which Stryker leaves without a type.
    const { node } = path as { node?: { operator?: string; right?: { name?: string } } };
    return node?.operator === '+' && ZEROS.has(node.right?.name) ? 'The word is the first' : undefined;
  },
};

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, RUNNER, InProcessRunner),
  declareValuePlugin(PluginKind.Ignore, ADDS_ZERO, addsZero),
];
