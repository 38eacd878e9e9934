/** Which keys a thread may use, and switching between such sets. */
import { InvalidTypeError, KeyReleasedError } from './errors.js';
import { ProtectionKey } from './keys.js';
import { ownKeys } from './own-keys.js';
import { pkru, rightsOf } from './pkru.js';
import { isSupported } from './support.js';

/** A set of keys that are open. All others of this package are closed; keys that somebody else owns are not meant. */
export class ProtectionMask {
  /** No key of ours is open: only memory without a colour can be touched. */
  static readonly zero: ProtectionMask = new ProtectionMask(0);
  /** Every key of ours is open. */
  static readonly all: ProtectionMask = new ProtectionMask(0xffff_ffff);
  /** @internal Rights bits of the open keys, unsigned. */
  readonly openBits: number;

  private constructor(openBits: number) {
    this.openBits = openBits;
  }

  /** @internal */
  static fromOpenBits(openBits: number): ProtectionMask {
    return new ProtectionMask(openBits >>> 0);
  }

  /**
   * The same set with `key` open as well.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no key of this package, {@link KeyReleasedError}
   */
  or(key: ProtectionKey): ProtectionMask {
    if (!(key instanceof ProtectionKey)) {
      throw new InvalidTypeError('Cannot open a key: it must be a ProtectionKey of this package');
    }
    if (key.released) throw new KeyReleasedError(key.id);
    return new ProtectionMask((this.openBits | rightsOf(key.id)) >>> 0);
  }

  /** Whether `key` is open in this set. */
  allows(key: ProtectionKey): boolean {
    return (this.openBits & rightsOf(key.id)) !== 0;
  }
}

/**
 * Opens the mask's keys for the calling thread and closes every other key of this package. Bits of keys that are not
 * ours stay as they are. Does nothing where keys are not supported.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function allow(mask: ProtectionMask): void {
  if (!(mask instanceof ProtectionMask)) {
    throw new InvalidTypeError('Cannot set the protection mask: it must be a ProtectionMask');
  }
  if (ownKeys.bits !== 0 && isSupported()) pkru().write(~mask.openBits >>> 0, ownKeys.bits);
}

/** Which of our keys the calling thread has open, for reading at least. */
export function currentMask(): ProtectionMask {
  if (ownKeys.bits === 0 || !isSupported()) return ProtectionMask.all;
  const denied = pkru().read();
  let openBits = 0;
  for (let id = 1; id < 16; id++) {
    if (((denied >>> (2 * id)) & 1) === 0) openBits |= rightsOf(id);
  }
  return ProtectionMask.fromOpenBits(openBits);
}

/**
 * Runs `fn` with only the mask's keys open, and puts back what was there, also when `fn` throws. What was there is written,
 * never assumed: a fault handler that jumps out of native code leaves every key closed.
 *
 * `fn` must be synchronous: the register belongs to the thread, and an `await` inside would hand the mask to whoever runs next.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a wrong mask or a function that returned a promise; whatever `fn` throws
 */
export function withMask<T>(mask: ProtectionMask, fn: () => T): T {
  const bits = ownKeys.bits;
  if (bits === 0 || !isSupported()) return synchronous(fn());
  const register = pkru();
  const before = register.read();
  allow(mask);
  try {
    return synchronous(fn());
  } finally {
    register.write(before, bits);
  }
}

function synchronous<T>(result: T): T {
  if (result instanceof Promise) {
    throw new InvalidTypeError(
      'Cannot run an asynchronous function with a protection mask: it must not return a promise',
    );
  }
  return result;
}
