/** Whoever may say no to a memory that wants to be larger. */
import {
  checkFunction,
  invalidArgType,
  invalidReturnValue,
  isInstance,
  isReadable,
  readOptions,
  type AbortSignalLike,
} from '@guardstripe/common';
import type { PendingAnswers, PendingFor } from './core/waiting/pending-answers.js';
import { MemoryLimitError } from './errors.js';

const NAME = 'limiter.memoryGrowing';

/**
 * What a store's `limiter` must be.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`
 */
function checkLimiter(limiter: unknown): asserts limiter is MemoryLimiter | undefined {
  if (limiter === undefined) return;
  // Stubs and proxies are welcome, so an array or a function with the method is one, too.
  const isAsked = (typeof limiter === 'object' && limiter !== null) || typeof limiter === 'function';
  if (!isAsked || !isReadable(limiter)) throw invalidArgType('options.limiter', 'of type object', limiter);
  const { memoryGrowing, memoryGrowFailed, memoryShrunk, memoryFreed } = limiter as Partial<MemoryLimiter>;
  checkFunction(memoryGrowing, 'options.limiter.memoryGrowing');
  if (memoryGrowFailed !== undefined) checkFunction(memoryGrowFailed, 'options.limiter.memoryGrowFailed');
  if (memoryShrunk !== undefined) checkFunction(memoryShrunk, 'options.limiter.memoryShrunk');
  if (memoryFreed !== undefined) checkFunction(memoryFreed, 'options.limiter.memoryFreed');
}

/** A limiter that was passed itself. */
const LIMITER_SLIPS = { memoryGrowing: 'openStore({ limiter })' };

/** The limiter that somebody opens a store with, or adopts one. @throws as {@link checkLimiter} */
export function limiterOf(
  options: { readonly limiter?: MemoryLimiter } | undefined,
): MemoryLimiter | undefined {
  if (options === undefined) return undefined;
  const { limiter } = readOptions(options, ['limiter'], 'options', LIMITER_SLIPS);
  checkLimiter(limiter);
  return limiter;
}

/**
 * Asked before a memory gets its first bytes, and before each grow; told what became of it. Whatever it does meanwhile (free,
 * allocate, dispose, close) is fine.
 *
 * The books of a limiter: what it granted, less what it is told by `memoryGrowFailed`, by `memoryShrunk` and by `memoryFreed`, is
 * what its memories have. Only a store that is collected with live memories may leave without a word: where
 * nobody but that store knew the limiter.
 */
export interface MemoryLimiter {
  /**
   * Whether the memory may have `desiredBytes`. Asked before a slot is taken or waited for, and also about a memory that turns out not
   * to fit.
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
   * Told that the memory is smaller than before: {@link PooledMemory.reset} took back what it had grown by. What it throws is an uncaught
   * exception.
   *
   * @param oldBytes - bytes it had
   * @param newBytes - bytes it has
   */
  memoryShrunk?(oldBytes: number, newBytes: number): void;

  /**
   * What `memoryGrowing` granted did not come: the pool is full, the system refused, the memory does not fit, the wait was given up.
   * A promise that grants after its asker left is granted in vain, too. What it throws is an uncaught exception.
   *
   * @param currentBytes - as in the question
   * @param desiredBytes - as in the question
   * @param error - why; `undefined` where the memory's size changed while its limiter was asked, which is then asked anew
   */
  memoryGrowFailed?(currentBytes: number, desiredBytes: number, error: unknown): void;

  /**
   * A memory ended: freed by itself, with its store or with its pool. What it throws is an uncaught exception.
   *
   * @param byteLength - the bytes it had
   */
  memoryFreed?(byteLength: number): void;
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
    const error = invalidReturnValue(
      NAME,
      'a boolean at once (allocateAsync and growAsync take a promise of one)',
      answer,
    );
    tellIfGranted(limiter, growth, answer, error);
    throw error;
  }
  obey(answer, growth);
}

/** Who asks a limiter that may take its time, and how to give up on it. */
export interface Asker {
  readonly pending: PendingAnswers;
  /** Whom `pending` finds the question by. */
  readonly key: PendingFor;
  readonly signal: AbortSignalLike | undefined;
  /** Throws if the limiter, while it was asked, ended what it was asked for. */
  readonly assertWanted: () => void;
}

/**
 * Asks a limiter that may take its time; returns nothing if it said yes at once. Who gives up meanwhile does not wait for the
 * answer; if that grants something, the limiter is told that it was in vain.
 *
 * @throws {@link MemoryLimitError} if it says no, `TypeError` `ERR_INVALID_RETURN_VALUE` if it says neither yes nor no,
 * whatever it throws itself, and what the asker was told when it gave up
 */
export function ask(limiter: MemoryLimiter, growth: Growth, asker: Asker): Promise<void> | undefined {
  const { currentBytes, desiredBytes, maximumBytes } = growth;
  const answer: unknown = limiter.memoryGrowing(currentBytes, desiredBytes, maximumBytes);
  if (typeof answer === 'object' && answer !== null) return waitForAnswer(limiter, growth, answer, asker);
  obey(answer, growth);
  return undefined;
}

async function waitForAnswer(
  limiter: MemoryLimiter,
  growth: Growth,
  given: object,
  { pending, key, signal, assertWanted }: Asker,
): Promise<void> {
  const answer = Promise.resolve<unknown>(given);
  let isHeard = false;
  try {
    assertWanted();
    const word = await pending.wait(answer, key, signal);
    isHeard = true;
    obey(word, growth);
  } catch (error) {
    // Also where it has answered already, and the asker was ended before it heard of that.
    if (!isHeard) tellIfGranted(limiter, growth, answer, error);
    throw error;
  }
}

function tellIfGranted(
  limiter: MemoryLimiter,
  growth: Growth,
  answer: Promise<unknown>,
  reason: unknown,
): void {
  const tell = (late: unknown): void => {
    if (late === true) tellFailed(limiter, growth, reason);
  };
  // It is for nobody any more, and so is its failure.
  answer.then(tell, () => undefined);
}

/** Tells a limiter that what it granted did not come. */
export function tellFailed(
  limiter: MemoryLimiter,
  { currentBytes, desiredBytes }: Growth,
  error: unknown,
): void {
  unharmed(() => limiter.memoryGrowFailed?.(currentBytes, desiredBytes, error));
}

/** Tells a limiter of a memory that went back to a smaller size. */
export function tellShrunk(limiter: MemoryLimiter, oldBytes: number, newBytes: number): void {
  unharmed(() => limiter.memoryShrunk?.(oldBytes, newBytes));
}

/** Tells a limiter of a memory that ended. */
export function tellFreed(limiter: MemoryLimiter, byteLength: number): void {
  unharmed(() => limiter.memoryFreed?.(byteLength));
}

/** Who is told of something cannot stop it: what it throws is thrown where nobody is in the middle of anything. */
function unharmed(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** Only a boolean is an answer: a limiter that forgot to return one must not be taken at its word. */
function obey(answer: unknown, growth: Growth): void {
  if (typeof answer !== 'boolean') {
    throw invalidReturnValue(NAME, 'a boolean', answer);
  }
  if (!answer) throw new MemoryLimitError(growth.currentBytes, growth.desiredBytes);
}
