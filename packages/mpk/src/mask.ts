/** Which keys a thread may use, and switching between such sets. */
import {
  checkFunction,
  checkInstance,
  invalidArgType,
  invalidReturnValue,
  isInstance,
} from '@guardstripe/common';
import { KeyReleasedError } from './errors.js';
import { ownKeys, ProtectionKey } from './keys.js';
import { pkru, rightsOf } from './pkru.js';

const TOKEN = Symbol('ProtectionMask');

/**
 * A set of keys that are open. All others of this package are closed; keys that somebody else owns are not meant.
 * Unchangeable, so it can be made once and used for every call.
 */
export class ProtectionMask {
  /** No key of ours is open: only memory without a colour can be touched. */
  static readonly zero: ProtectionMask = new ProtectionMask(TOKEN, 0, []);
  /** Every key of ours is open, those that are taken later included. */
  static readonly all: ProtectionMask = new ProtectionMask(TOKEN, 0xffff_ffff, []);
  /** The rights bits of the open keys, unsigned: masks with the same bits open the same keys. */
  readonly openBits: number;
  readonly #keys: readonly ProtectionKey[];
  /** The value of `ownKeys.releases` at which all keys of the mask were seen to be held. */
  #checkedAt = -1;

  private constructor(token: typeof TOKEN, openBits: number, keys: readonly ProtectionKey[]) {
    if (token !== TOKEN)
      throw invalidArgType('token', 'that of this package: use ProtectionMask.zero, .all or .or', token);
    this.openBits = openBits;
    this.#keys = keys;
  }

  /**
   * The same set with `key` open as well.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no key of this package, {@link KeyReleasedError}
   */
  or(key: ProtectionKey): ProtectionMask {
    checkInstance(key, 'key', ProtectionKey);
    if (key.released) throw new KeyReleasedError(key.id);
    return new ProtectionMask(TOKEN, (this.openBits | rightsOf(key.id)) >>> 0, [...this.#keys, key]);
  }

  /**
   * Whether `key` is open in this set.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no key of this package
   */
  allows(key: ProtectionKey): boolean {
    checkInstance(key, 'key', ProtectionKey);
    return (this.openBits & rightsOf(key.id)) !== 0;
  }

  /** @internal The number of a key that was given back may be somebody else's by now: such a mask is refused. */
  assertHeld(): void {
    if (this.#checkedAt === ownKeys.releases) return;
    for (const key of this.#keys) if (key.released) throw new KeyReleasedError(key.id);
    this.#checkedAt = ownKeys.releases;
  }
}

/**
 * Opens the mask's keys for the calling thread and closes every other key of this package. Bits of keys that are not
 * ours stay as they are. Does nothing where keys are not supported.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`; {@link KeyReleasedError} if a key of the mask was given back; nothing is
 * changed then
 */
export function allow(mask: ProtectionMask): void {
  checkMask(mask);
  if (ownKeys.bits !== 0) pkru().swap(~mask.openBits >>> 0, ownKeys.bits);
}

/** Which of our keys the calling thread has open, for reading at least. */
export function currentMask(): ProtectionMask {
  if (ownKeys.bits === 0) return ProtectionMask.all;
  const denied = pkru().read();
  let open = ProtectionMask.zero;
  for (const key of ownKeys) if (((denied >>> (2 * key.id)) & 1) === 0) open = open.or(key);
  return open;
}

/**
 * Runs `fn` with only the mask's keys open, and puts back what was there, also when `fn` throws. What was there is written,
 * never assumed: a fault handler that jumps out of native code leaves every key closed.
 *
 * `fn` must be synchronous: the register belongs to the thread, and an `await` inside would hand the mask to whoever runs next.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for a wrong mask, `ERR_INVALID_RETURN_VALUE` for a function that returned a
 * promise; {@link KeyReleasedError} if a key of the mask was given back; whatever `fn` throws
 */
export function withMask<T>(mask: ProtectionMask, fn: () => T): T {
  checkMask(mask);
  checkFunction(fn, 'fn');
  const { bits } = ownKeys;
  if (bits === 0) return synchronous(fn());
  const register = pkru();
  const before = register.swap(~mask.openBits >>> 0, bits);
  try {
    return synchronous(fn());
  } finally {
    // What `fn` gave back is no longer ours to change.
    register.swap(before, (bits & ownKeys.bits) >>> 0);
  }
}

function checkMask(mask: ProtectionMask): void {
  checkInstance(mask, 'mask', ProtectionMask);
  mask.assertHeld();
}

function synchronous<T>(result: T): T {
  if (isInstance(result, Promise)) throw invalidReturnValue('fn', 'what is no promise', result);
  return result;
}
