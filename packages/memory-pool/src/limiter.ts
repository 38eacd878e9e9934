/** Whoever may say no to a memory that wants to be larger. */
import { InvalidTypeError, MemoryLimitError } from './errors.js';

/** Asked before a memory gets its first bytes, and before each grow. */
export interface MemoryLimiter {
  /**
   * Whether the memory may have `desiredBytes`.
   *
   * @param currentBytes - bytes it has; 0 for one that is being allocated
   * @param desiredBytes - bytes it would have
   * @param maximumBytes - the most it may ever have by its module and its pool
   * @returns the answer, or a promise of it, which only `allocateAsync` and `growAsync` take
   */
  memoryGrowing(
    currentBytes: number,
    desiredBytes: number,
    maximumBytes: number,
  ): boolean | PromiseLike<boolean>;
}

/** A growth to be asked about. */
export interface Growth {
  readonly currentBytes: number;
  readonly desiredBytes: number;
  readonly maximumBytes: number;
}

/**
 * Asks a limiter that must answer at once.
 *
 * @throws {@link MemoryLimitError} if it says no, `TypeError` `ERR_INVALID_ARG_TYPE` if it answers with a promise or
 * with neither yes nor no, and whatever it throws itself
 */
export function askNow(limiter: MemoryLimiter | undefined, growth: Growth): void {
  if (limiter === undefined) return;
  const answer = limiter.memoryGrowing(growth.currentBytes, growth.desiredBytes, growth.maximumBytes);
  if (answer instanceof Promise) {
    // Nobody will wait for it, so nobody else would hear of its rejection.
    answer.catch(() => undefined);
    throw new InvalidTypeError(
      'The limiter answered with a promise: use allocateAsync and growAsync, or a limiter that answers at once',
    );
  }
  obey(answer, growth);
}

/**
 * Asks a limiter that may take its time.
 *
 * @throws {@link MemoryLimitError} if it says no, `TypeError` `ERR_INVALID_ARG_TYPE` if it says neither yes nor no, and
 * whatever it throws itself
 */
export async function ask(limiter: MemoryLimiter | undefined, growth: Growth): Promise<void> {
  if (limiter === undefined) return;
  obey(await limiter.memoryGrowing(growth.currentBytes, growth.desiredBytes, growth.maximumBytes), growth);
}

/** Only a boolean is an answer: a limiter that forgot to return one must not be taken at its word. */
function obey(answer: unknown, growth: Growth): void {
  if (typeof answer !== 'boolean') {
    throw new InvalidTypeError(`The limiter must answer with a boolean, received ${String(answer)}`);
  }
  if (!answer) throw new MemoryLimitError(growth.currentBytes, growth.desiredBytes);
}
