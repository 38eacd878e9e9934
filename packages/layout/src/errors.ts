/** The one error of this package's own: a caller catches it and answers it, by asking for less. */

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
