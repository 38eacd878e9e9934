/** Trying whether the system can do something, once, unless what stood in the way may pass. */

/** Shortage: of descriptors, of memory, or of time. */
const PASSING: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);

/** Whether an error says nothing about what the system can do. */
export function mayPass(error: unknown): boolean {
  return error instanceof Error && 'code' in error && PASSING.has(error.code);
}

/** What `build` makes, made at the first asking; `undefined` where it throws, for good unless the error may pass. */
export function probed<T>(build: () => T): () => T | undefined {
  let built: T | undefined;
  let known = false;
  return () => {
    if (known) return built;
    try {
      built = build();
      known = true;
    } catch (error) {
      known = !mayPass(error);
    }
    return built;
  };
}
