/**
 * Numbers for modules and images. None is used twice in a process, in whichever thread: a slot may remember a module long after it was
 * closed, and the slots of a shared pool what another thread had there.
 */
import { processState } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';

/** Where the last number is, of the words that all threads share. */
const WORDS = { module: 3, image: 4 } as const;

/** Of a thread that shares nothing. */
const own = new Int32Array(16);

/** The next number, from 1 on. */
export function takeId(kind: keyof typeof WORDS): number {
  const words = processState()?.poolWords ?? own;
  const id = Atomics.add(words, WORDS[kind], 1) + 1;
  // Words wrap around: an id that was used before would be another module's bytes.
  if (!(id > 0)) throw new PoolCorruptedError(`there are no more numbers for an ${kind}`);
  return id;
}
