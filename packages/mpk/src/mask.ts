/** Which keys a thread may use, and switching between such sets. */
import {
  checkFunction,
  checkInstance,
  invalidArgType,
  invalidReturnValue,
  isInstance,
  showAs,
} from '@guardstripe/common';
import { KeyReleasedError } from './errors.js';
import { ProtectionKey, takenOf } from './keys.js';
import { pkru, rightsOf } from './pkru.js';
import { rightsChanges, unchangedSince } from './rights.js';
import { MAX_KEYS, type KeyRegistry, type Taken } from './registry/key-registry.js';
import { keyRegistry } from './registry/process-keys.js';

const TOKEN = Symbol('ProtectionMask');

/** A key that a mask opens; where it is this copy's, itself too, so that its lease is not taken for lost. */
interface OpenKey {
  readonly taken: Taken;
  readonly key?: ProtectionKey;
}

let make: (openBits: number, open: readonly OpenKey[]) => ProtectionMask;

/**
 * A set of keys that are open. All others of this process's leases are closed, whichever thread and whichever copy of the package took
 * them; keys that somebody else owns are not meant. Unchangeable, so it can be made once and used for every call.
 */
export class ProtectionMask {
  /** No key of ours is open: only memory without a colour can be touched. */
  static readonly zero: ProtectionMask = new this(TOKEN, 0, []);
  /** Every key that a lease holds is open, those that are taken later included. */
  static readonly all: ProtectionMask = new this(TOKEN, 0xffff_ffff, []);
  /** The rights bits of the open keys, unsigned: masks with the same bits open the same keys. */
  readonly openBits: number;
  readonly #open: readonly OpenKey[];
  /** The number of releases at which all keys of the mask were seen to be held. */
  #checkedAt = -1;

  static {
    make = (openBits, open) => new this(TOKEN, openBits, open);
    showAs(this.prototype, ({ openBits }) => `ProtectionMask { opens 0x${openBits.toString(16)} of PKRU }`);
  }

  private constructor(token: typeof TOKEN, openBits: number, open: readonly OpenKey[]) {
    if (token !== TOKEN)
      throw invalidArgType('token', 'that of this package: use ProtectionMask.zero, .all or .or', token);
    this.openBits = openBits;
    this.#open = open;
  }

  /**
   * The same set with `key` open as well.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no key of this package, {@link KeyReleasedError}
   */
  or(key: ProtectionKey): ProtectionMask {
    checkInstance(key, 'key', ProtectionKey);
    if (key.released) throw new KeyReleasedError(key.id);
    const open = [...this.#open, { taken: takenOf(key), key }];
    return make((this.openBits | rightsOf(key.id)) >>> 0, open);
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
  assertHeld(registry: KeyRegistry): void {
    const { releases } = registry;
    if (this.#checkedAt === releases) return;
    for (const { taken } of this.#open) if (!registry.isHeld(taken)) throw new KeyReleasedError(taken.id);
    this.#checkedAt = releases;
  }
}

/**
 * Opens the mask's keys for the calling thread and closes every other key that this process's leases hold, also those that other
 * threads took. Bits of keys that are not ours stay as they are. Does nothing where keys are not supported.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`; {@link KeyReleasedError} if a key of the mask was given back; nothing is
 * changed then
 */
export function allow(mask: ProtectionMask): void {
  checkInstance(mask, 'mask', ProtectionMask);
  const registry = keyRegistry();
  if (registry === undefined) return;
  mask.assertHeld(registry);
  const { ownedBits } = registry;
  if (ownedBits !== 0) pkru().swap(deniedBy(mask, registry), ownedBits);
}

/** Which of the process's keys the calling thread has open, for reading at least. */
export function currentMask(): ProtectionMask {
  const registry = keyRegistry();
  if (registry === undefined || registry.ownedBits === 0) return ProtectionMask.all;
  const denied = pkru().read();
  const open: OpenKey[] = [];
  let openBits = 0;
  for (let id = 1; id <= MAX_KEYS; id++) {
    const rights = rightsOf(id);
    if ((registry.ownedBits & rights) === 0 || ((denied >>> (2 * id)) & 1) !== 0) continue;
    openBits |= rights;
    if ((registry.heldBits & rights) !== 0)
      open.push({ taken: { id, generation: registry.generationOf(id) } });
  }
  return make(openBits >>> 0, open);
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
  checkInstance(mask, 'mask', ProtectionMask);
  checkFunction(fn, 'fn');
  const registry = keyRegistry();
  if (registry === undefined) return synchronous(fn());
  mask.assertHeld(registry);
  const { ownedBits, releases } = registry;
  if (ownedBits === 0) return synchronous(fn());
  const register = pkru();
  const changes = rightsChanges();
  const before = register.swap(deniedBy(mask, registry), ownedBits);
  try {
    return synchronous(fn());
  } finally {
    // What was given back meanwhile is no longer ours to change, or ours again and somebody else's to open.
    const denied = (before | ~registry.heldBits) >>> 0;
    register.swap(denied, unchangedSince(changes, registry.sameSince(releases, ownedBits)));
  }
}

/** What no lease holds stays closed, whatever a mask says. */
function deniedBy(mask: ProtectionMask, registry: KeyRegistry): number {
  return ~(mask.openBits & registry.heldBits) >>> 0;
}

function synchronous<T>(result: T): T {
  if (isInstance(result, Promise)) throw invalidReturnValue('fn', 'what is no promise', result);
  return result;
}
