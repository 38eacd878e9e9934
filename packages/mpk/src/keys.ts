/**
 * Protection keys as something owned. The hardware has fifteen for a process, shared by everything in it; a lease holds
 * some of them and gives them back.
 */
import { checkFunction, checkInstance, checkInteger, checkObject, showAs } from '@guardstripe/common';
import { jointHandleOf, Mmap, processState, SystemError, type Access } from '@guardstripe/mmap';
import { KeyInUseError, KeyReleasedError, KeysExhaustedError } from './errors.js';
import { MAX_KEYS, type KeyRegistry, type Taken } from './registry/key-registry.js';
import { forgetLoss, watchForLoss } from './registry/lease-net.js';
import { keyRegistry } from './registry/process-keys.js';
import { noteRightsChanged } from './rights.js';
import { isSupported } from './support.js';

/** Generations are words. */
const MAX_GENERATION = 2 ** 31 - 1;

/** Pages of a map. */
export interface Region {
  readonly map: Mmap;
  /** Bytes from the map's start, a multiple of the page size. */
  readonly offset: number;
  /** Bytes, a multiple of the page size. */
  readonly byteLength: number;
}

/** What a lease and its keys refer to, so that it is collected only when nobody can use any of them. */
class Hold {
  readonly registry: KeyRegistry;
  readonly taken: readonly Taken[];
  released = false;
  /** Whether the keys are a map's, that threads hold jointly. */
  isJoint: boolean;

  constructor(registry: KeyRegistry, taken: readonly Taken[], isJoint = false) {
    this.registry = registry;
    this.taken = taken;
    this.isJoint = isJoint;
    if (!isJoint) watchForLoss(this, taken);
  }
}

let holdOf: (lease: KeyLease) => Hold | undefined;

/** For masks: the key as it was taken. */
export let takenOf: (key: ProtectionKey) => Taken;

/** One key of the process, for as long as its lease is held. */
export class ProtectionKey {
  /** Number in the hardware, 1 to 15. */
  readonly id: number;
  /** Place in its lease, from 0: what pools call the stripe. */
  readonly stripe: number;
  readonly #hold: Hold;

  static {
    takenOf = (key) => key.#hold.taken[key.stripe]!;
    showAs(
      this.prototype,
      ({ id, stripe, released }) =>
        `ProtectionKey { ${id}, stripe ${stripe}${released ? ', given back' : ''} }`,
    );
  }

  /** @internal Keys come from {@link keys}. */
  constructor(hold: Hold, stripe: number) {
    this.id = hold.taken[stripe]!.id;
    this.stripe = stripe;
    this.#hold = hold;
  }

  /** Whether the key's lease was disposed. */
  get released(): boolean {
    return this.#hold.released;
  }

  /**
   * Colours pages with this key and sets what they allow, in one system call. From then on a thread reaches them only
   * while its PKRU has the key open. A later `mmap` over the pages drops the colour; a change of protection keeps it.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `RangeError` `ERR_OUT_OF_RANGE` if the region is not whole pages of the map,
   * `MmapClosedError`, {@link KeyReleasedError}; nothing is changed then. A `SystemError` may leave a part coloured
   */
  protect(region: Region, access: Access): void {
    if (this.#hold.released) throw new KeyReleasedError(this.id);
    checkObject(region, 'region');
    const { map, offset, byteLength } = region;
    checkInstance(map, 'region.map', Mmap);
    map.protectWithKey(offset, byteLength, access, this.id);
  }
}

/** Keys held together. Dispose it to give them back. */
export class KeyLease implements Disposable {
  /** The keys, in the order of their stripes; empty where there is no support. */
  readonly keys: readonly ProtectionKey[];
  readonly #hold: Hold | undefined;

  static {
    holdOf = (lease) => lease.#hold;
  }

  /** @internal Leases come from {@link keys}. */
  constructor(hold: Hold | undefined) {
    this.#hold = hold;
    this.keys = hold === undefined ? [] : hold.taken.map((_, stripe) => new ProtectionKey(hold, stripe));
  }

  /**
   * Closes the keys for the calling thread and gives them back. Disposing again does nothing.
   *
   * The kernel hands a freed number out again while old pages still have it. So it is asked which pages carry one, whoever
   * coloured them (`/proc/self/smaps`: some microseconds for each mapping). Where it does not tell, the keys are withheld: closed by
   * every mask and never anybody's again.
   *
   * Keys that threads share are closed for the calling thread alone; they are given back when the last of those threads has let go.
   *
   * @throws {@link KeyInUseError} if pages carry one of them; all are kept then
   */
  dispose(): void {
    const hold = this.#hold;
    if (hold === undefined || hold.released) return;
    const { registry, taken } = hold;
    if (hold.isJoint) {
      leaveKeys(this, () => undefined);
      return;
    }
    const coloured = registry.colouredBytes();
    for (const { id } of taken) {
      const byteLength = coloured?.get(id) ?? 0;
      if (byteLength > 0) throw new KeyInUseError(id, byteLength);
    }
    hold.released = true;
    forgetLoss(hold);
    if (coloured === undefined) for (const key of taken) registry.withhold(key);
    else giveAllBack(registry, taken);
  }

  /** The same as {@link KeyLease.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** All of them, also if the system refuses some; then the first refusal is thrown. */
function giveAllBack(registry: KeyRegistry, taken: readonly Taken[]): void {
  const refusals: unknown[] = [];
  for (const key of taken) {
    try {
      registry.giveBack(key);
    } catch (error) {
      refusals.push(error);
    }
  }
  if (refusals.length > 0) throw refusals[0];
}

/**
 * Takes up to `max` of the process's keys, as many as are free, and opens them for the calling thread. Where protection
 * keys are not supported the lease is empty; {@link supportReason} says why.
 *
 * @param max - most keys to take, from 0; the hardware has 15
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `RangeError` `ERR_OUT_OF_RANGE`; {@link KeysExhaustedError} if keys are supported
 * and not one is free
 */
export function keys(max: number = MAX_KEYS): KeyLease {
  checkInteger(max, 'max');
  const registry = max === 0 || !isSupported() ? undefined : keyRegistry();
  if (registry === undefined) return new KeyLease(undefined);
  // Pages of ended threads may carry some.
  processState()?.reap();
  registry.sweep();
  const taken: Taken[] = [];
  while (taken.length < max) {
    try {
      taken.push(registry.take());
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOSPC' && taken.length > 0) break;
      giveAllBack(registry, taken);
      if (error instanceof SystemError && error.code === 'ENOSPC') {
        throw new KeysExhaustedError(error, registry.count());
      }
      throw error;
    }
  }
  return new KeyLease(new Hold(registry, taken));
}

/** A key that several threads hold, for {@link adoptKeys}: plain data. */
export interface JointKey {
  readonly id: number;
  /** Which of those that had the number it is. */
  readonly generation: number;
}

/**
 * Makes the keys of a lease those of a map that threads hold jointly: from now on they are held until the last thread that has the map has
 * closed it, or ended in whichever way. Disposing the lease closes them for this thread.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @returns what other threads adopt them by
 * @throws {@link KeyReleasedError} if the lease was disposed; `Error` `ERR_MMAP_NOT_SHARED` for other maps
 */
export function shareKeys(lease: KeyLease, map: Mmap): readonly JointKey[] {
  checkInstance(lease, 'lease', KeyLease);
  const place = jointHandleOf(map);
  const hold = holdOf(lease);
  if (hold === undefined) return [];
  const { registry, taken } = hold;
  if (hold.released) throw new KeyReleasedError(taken[0]!.id);
  for (const key of taken) registry.handOver(key, place);
  hold.isJoint = true;
  forgetLoss(hold);
  return taken;
}

/**
 * A lease of keys that another thread has made those of a map, which this thread has, too. They are opened for the calling thread: it may
 * have started with them closed.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws {@link KeyReleasedError} if they are not that map's; `Error` `ERR_MMAP_NOT_SHARED` for other maps
 */
export function adoptKeys(map: Mmap, joint: readonly JointKey[]): KeyLease {
  const place = jointHandleOf(map);
  const taken = readJoint(joint);
  const registry = taken.length === 0 || !isSupported() ? undefined : keyRegistry();
  if (registry === undefined) return new KeyLease(undefined);
  for (const key of taken) if (!registry.isOf(key, place)) throw new KeyReleasedError(key.id);
  registry.setOpen(taken, true);
  noteRightsChanged(taken);
  return new KeyLease(new Hold(registry, taken, true));
}

/** Each field once: reading it may run the caller's code. */
function readJoint(joint: unknown): Taken[] {
  checkInstance(joint, 'joint', Array);
  return Array.from(joint as unknown[], (key, index) => {
    checkObject(key, `joint[${index}]`);
    const { id, generation } = key as Partial<JointKey>;
    checkInteger(id, `joint[${index}].id`, 1);
    checkInteger(generation, `joint[${index}].generation`, -MAX_GENERATION - 1, MAX_GENERATION);
    return { id, generation };
  });
}

/**
 * Ends this thread's part in keys of a map that threads hold jointly: closes them here, has the thread let go of the map, and gives them
 * back if nobody has it any more. In this order, for who gets their numbers next must not find them open here.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @param leaveMap - lets go of the map. What it throws is passed on; calling again tries again
 */
export function leaveKeys(lease: KeyLease, leaveMap: () => void): void {
  checkInstance(lease, 'lease', KeyLease);
  checkFunction(leaveMap, 'leaveMap');
  const hold = holdOf(lease);
  if (hold?.isJoint !== true) {
    leaveMap();
    lease.dispose();
    return;
  }
  if (!hold.released) {
    hold.released = true;
    hold.registry.setOpen(hold.taken, false);
    noteRightsChanged(hold.taken);
  }
  leaveMap();
  hold.registry.sweep();
}
