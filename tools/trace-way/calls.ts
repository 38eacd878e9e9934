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
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }

  /** What `action` called of the packages, in the order of the files. */
  during(action: () => void): Called[] {
    this.#take();
    action();
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
