/** Whoever may say no to a memory that wants to be larger. */
import {
  checkFunction,
  invalidArgType,
  invalidReturnValue,
  isInstance,
  isReadable,
} from '@guardstripe/common';
import { MemoryLimitError } from './errors.js';

const NAME = 'limiter.memoryGrowing';

/**
 * What a store's `limiter` must be.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkLimiter(limiter: unknown): asserts limiter is MemoryLimiter | undefined {
  if (limiter === undefined) return;
  // Stubs and proxies are welcome, so an array or a function with the method is one, too.
  const isAsked = (typeof limiter === 'object' && limiter !== null) || typeof limiter === 'function';
  if (!isAsked || !isReadable(limiter)) throw invalidArgType('options.limiter', 'of type object', limiter);
  checkFunction((limiter as Partial<MemoryLimiter>).memoryGrowing, 'options.limiter.memoryGrowing');
}

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

  /**
   * Told that the memory is smaller than before: {@link PooledMemory.reset} took back what it had grown by.
   *
   * @param oldBytes - bytes it had
   * @param newBytes - bytes it has
   */
  memoryShrunk?(oldBytes: number, newBytes: number): void;
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
 * @throws {@link MemoryLimitError} if it says no, `TypeError` `ERR_INVALID_RETURN_VALUE` if it answers with a promise or
 * with neither yes nor no, and whatever it throws itself
 */
export function askNow(limiter: MemoryLimiter | undefined, growth: Growth): void {
  if (limiter === undefined) return;
  const answer = limiter.memoryGrowing(growth.currentBytes, growth.desiredBytes, growth.maximumBytes);
  if (isInstance(answer, Promise)) {
    // Nobody will wait for it, so nobody else would hear of its rejection.
    answer.catch(() => undefined);
    throw invalidReturnValue(
      NAME,
      'a boolean at once (allocateAsync and growAsync take a promise of one)',
      answer,
    );
  }
  obey(answer, growth);
}

/**
 * Asks a limiter that may take its time.
 *
 * @throws {@link MemoryLimitError} if it says no, `TypeError` `ERR_INVALID_RETURN_VALUE` if it says neither yes nor no, and
 * whatever it throws itself
 */
export async function ask(limiter: MemoryLimiter | undefined, growth: Growth): Promise<void> {
  if (limiter === undefined) return;
  obey(await limiter.memoryGrowing(growth.currentBytes, growth.desiredBytes, growth.maximumBytes), growth);
}

/** Only a boolean is an answer: a limiter that forgot to return one must not be taken at its word. */
function obey(answer: unknown, growth: Growth): void {
  if (typeof answer !== 'boolean') {
    throw invalidReturnValue(NAME, 'a boolean', answer);
  }
  if (!answer) throw new MemoryLimitError(growth.currentBytes, growth.desiredBytes);
}
