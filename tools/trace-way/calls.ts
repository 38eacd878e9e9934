/** Which functions of the packages ran, and how often, counted by V8 itself: its precise coverage. */
import { Session, type Profiler } from 'node:inspector';
import { sourceOf, type SourceLine } from './source-lines.ts';

/** A function that ran. */
export interface Called extends SourceLine {
  /** Its name in the built file, empty for an anonymous one. */
  readonly name: string;
  readonly calls: number;
}

const PACKAGES = /\/packages\/[^/]+\/dist\//;

/** Counts calls while it is open. Optimized code is thrown away for it, so nothing is lost to inlining. */
export class CallCounter implements Disposable {
  /** Calls since the last {@link CallCounter.during} began, until {@link CallCounter.reachSystem} was called first. */
  callsToSystem: number | undefined;
  readonly #session = new Session();
  #isCounting = false;
  /** What {@link CallCounter.reachSystem} took away from what {@link CallCounter.during} takes. */
  #before: Called[] = [];

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }

  /** What `action` called of the packages, in the order of the files. */
  during(action: () => void): Called[] {
    this.#take();
    this.#before = [];
    this.callsToSystem = undefined;
    this.#isCounting = true;
    action();
    this.#isCounting = false;
    return merged([...this.#before, ...this.#called()]);
  }

  /** The system is about to be called. */
  reachSystem(): void {
    if (!this.#isCounting || this.callsToSystem !== undefined) return;
    this.#before = this.#called();
    this.callsToSystem = this.#before.reduce((sum, { calls }) => sum + calls, 0);
  }

  #called(): Called[] {
    const called: Called[] = [];
    for (const { url, functions } of this.#take()) {
      if (!PACKAGES.test(url)) continue;
      for (const { functionName, ranges } of functions) {
        const [whole] = ranges;
        if (whole === undefined || whole.count === 0) continue;
        called.push({ name: functionName, calls: whole.count, ...sourceOf(url, whole.startOffset) });
      }
    }
    return called;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let taken: readonly Profiler.ScriptCoverage[] | undefined;
    let refused: Error | null = null;
    // A session of the same thread answers before it returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      refused = error;
      taken = answer?.result;
    });
    if (taken === undefined) throw new Error('V8 counts no calls', { cause: refused });
    return taken;
  }
}

/** One entry a function. */
function merged(called: readonly Called[]): Called[] {
  const functions = new Map<string, Called>();
  for (const each of called) {
    const key = `${each.file}:${each.line}:${each.name}`;
    functions.set(key, { ...each, calls: each.calls + (functions.get(key)?.calls ?? 0) });
  }
  return [...functions.values()];
}
