/**
 * Protection keys as something owned. The hardware has fifteen for a process, shared by everything in it; a lease holds
 * some of them and gives them back.
 */
import { checkInstance, checkInteger, checkObject, showAs } from '@guardstripe/common';
import { Mmap, SystemError, type Access } from '@guardstripe/mmap';
import { KeyInUseError, KeyReleasedError, KeysExhaustedError } from './errors.js';
import { MAX_KEYS, type KeyRegistry, type Taken } from './registry/key-registry.js';
import { forgetLoss, watchForLoss } from './registry/lease-net.js';
import { keyRegistry } from './registry/process-keys.js';
import { isSupported } from './support.js';

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

  constructor(registry: KeyRegistry, taken: readonly Taken[]) {
    this.registry = registry;
    this.taken = taken;
    watchForLoss(this, taken);
  }
}

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
   * @throws {@link KeyInUseError} if pages carry one of them; all are kept then
   */
  dispose(): void {
    const hold = this.#hold;
    if (hold === undefined || hold.released) return;
    const { registry, taken } = hold;
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
