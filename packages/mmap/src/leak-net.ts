/**
 * The net under owners that are garbage collected without `close()`: it gives their resource back and says so once.
 * It is no plan to rely on. Finalizers do not run while a loop is busy, nor when a worker thread ends.
 */

interface Leak {
  /** What was lost, for the warning: "Mmap of 0x1000 (4 KiB) at 0x7f0000000000"; nothing if that was given back. Asked first. */
  readonly what: () => string | undefined;
  readonly release: () => void;
}

let warned = false;

const registry = new FinalizationRegistry<Leak>(({ what, release }) => {
  const lost = what();
  let outcome = 'it was given back now';
  try {
    release();
  } catch (error) {
    outcome = `giving it back failed: ${String(error)}`;
  }
  if (warned || lost === undefined) return;
  warned = true;
  process.emitWarning(`${lost} was garbage collected without close(); ${outcome}`, {
    code: 'GUARDSTRIPE_MMAP_LEAK',
    detail: 'Call close(), or declare it with "using". Further leaks are given back without a warning.',
  });
});

/**
 * Watches `owner`. `release` and `what` must not refer to it, or it is never collected.
 */
export function watchForLeak(owner: object, what: Leak['what'], release: () => void): void {
  registry.register(owner, { what, release }, owner);
}

/** Stops watching, once the resource was given back properly. */
export function forgetLeak(owner: object): void {
  registry.unregister(owner);
}
