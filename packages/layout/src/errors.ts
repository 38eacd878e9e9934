/** The one error of this package's own that a caller catches and answers, by asking for less; and the one for what must not be. */
import { withCode } from '@guardstripe/common';

/**
 * The slab, or a sum or product on the way to it, is larger than `Number.MAX_SAFE_INTEGER` bytes (8 PiB less one).
 * No machine maps as much, and a number beyond it would be a rounded one. The message names both operands.
 */
export class SlabTooLargeError extends RangeError {
  /** Always `'ERR_SLAB_TOO_LARGE'`. */
  readonly code = 'ERR_SLAB_TOO_LARGE';
  /** The class's own name. */
  override readonly name = 'SlabTooLargeError';
}

/** For what this package itself has got wrong: better no answer than that one. */
export function mistake(what: string): Error {
  return withCode(new Error(`A mistake of this package: ${what}`), 'ERR_LAYOUT_BROKEN');
}
