import { isMainThread } from 'node:worker_threads';

import { ffi } from '../ffi.js';

const undeclared = new Set<() => unknown>();

/**
 * Declares a function of the C library when it is first asked for: most processes need few. In a worker thread all that
 * are known are declared by {@link declareAllInWorkers}.
 */
export function lazily<F>(prototype: string): () => F {
  let declared: F | undefined;
  const declare = () => {
    undeclared.delete(declare);
    return (declared ??= ffi().declare<F>(prototype));
  };
  undeclared.add(declare);
  return declare;
}

/**
 * A worker that is terminated while koffi declares a function takes the process with it: koffi cannot throw any more,
 * and ends. So a worker does all of that at once, when it first uses the package, and never again.
 */
export function declareAllInWorkers(): void {
  if (isMainThread) return;
  for (const declare of undeclared) {
    try {
      declare();
    } catch {
      // A function that this C library lacks: who asks for it is told.
    }
  }
}
