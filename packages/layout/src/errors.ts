/**
 * The errors this package throws. An argument error has the stable `code` that Node gives to the same mistake, so
 * callers test `error.code`, never the text. Only {@link SlabTooLargeError} is a class of its own in the public
 * API: it is the one that a caller catches and answers, by asking for less.
 */

/** The code of an argument error, with the meaning that Node gives to it. */
export type ArgumentErrorCode = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE';

/** An argument of the wrong type or shape. Looks like a plain `TypeError` with a `code`. */
export class ArgumentTypeError extends TypeError {
  readonly code: ArgumentErrorCode;

  constructor(code: ArgumentErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A number that is not among those allowed. Looks like a plain `RangeError` with a `code`. */
export class ArgumentRangeError extends RangeError {
  readonly code: ArgumentErrorCode = 'ERR_OUT_OF_RANGE';
}

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

/** One line for any value at all: what an error message shows as received. */
export function inspectValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
    case 'bigint':
      return `${value}n`;
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'an array' : 'an object';
    default:
      return String(value);
  }
}

/** A `TypeError` that says what `name` must be and what it was. */
export function wrongType(name: string, expected: string, value: unknown): ArgumentTypeError {
  return new ArgumentTypeError(
    'ERR_INVALID_ARG_TYPE',
    `The "${name}" argument must be ${expected}. Received ${inspectValue(value)}`,
  );
}

/** A `TypeError` for a value of the right type that is not one of the allowed ones. */
export function wrongValue(name: string, expected: string, value: unknown): ArgumentTypeError {
  return new ArgumentTypeError(
    'ERR_INVALID_ARG_VALUE',
    `The "${name}" argument must be ${expected}. Received ${inspectValue(value)}`,
  );
}

/** A `RangeError` that says which rule the number broke. */
export function outOfRange(name: string, rule: string, value: unknown): ArgumentRangeError {
  return new ArgumentRangeError(
    `The value of "${name}" is out of range. It must be ${rule}. Received ${inspectValue(value)}`,
  );
}
