/**
 * Protection keys as something owned. The hardware has fifteen for a process, shared by everything in it; a lease holds
 * some of them and gives them back.
 */
import { checkInstance, checkInteger, checkObject } from '@guardstripe/common';
import { Mmap, SystemError, type Access } from '@guardstripe/mmap';
import { colouredBytes } from './coloured-bytes.js';
import { KeyInUseError, KeyReleasedError, KeysExhaustedError } from './errors.js';
import { keySystem } from './key-system.js';
import { OwnKeys } from './own-keys.js';
import { isSupported, noteSupported } from './support.js';

/** Keys that the hardware gives out: 1 to 15; 0 is every page's default. */
const MAX_KEYS = 15;

/** Pages of a map. */
export interface Region {
  readonly map: Mmap;
  /** Bytes from the map's start, a multiple of the page size. */
  readonly offset: number;
  /** Bytes, a multiple of the page size. */
  readonly byteLength: number;
}

/** The process has one set of keys, and so has this package. */
export const ownKeys = new OwnKeys<ProtectionKey>();

/** One key of the process, for as long as its lease is held. */
export class ProtectionKey {
  /** Number in the hardware, 1 to 15. */
  readonly id: number;
  /** Place in its lease, from 0: what pools call the stripe. */
  readonly stripe: number;
  #released = false;
  /** Held weakly, so that a map that nobody has any more is still collected and unmapped. */
  readonly #maps: WeakRef<Mmap>[] = [];
  readonly #known = new WeakSet<Mmap>();

  /** @internal Keys come from {@link keys}. */
  constructor(id: number, stripe: number) {
    this.id = id;
    this.stripe = stripe;
    ownKeys.add(this);
  }

  /** Whether the key's lease was disposed. */
  get released(): boolean {
    return this.#released;
  }

  /**
   * Colours pages with this key and sets what they allow, in one system call. From then on a thread reaches them only
   * while its PKRU has the key open. A later `mmap` over the pages drops the colour; a change of protection keeps it.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `RangeError` `ERR_OUT_OF_RANGE` if the region is not whole pages of the map,
   * `MmapClosedError`, {@link KeyReleasedError}; nothing is changed then. A `SystemError` may leave a part coloured
   */
  protect(region: Region, access: Access): void {
    if (this.#released) throw new KeyReleasedError(this.id);
    checkObject(region, 'region');
    const { map, offset, byteLength } = region;
    checkInstance(map, 'region.map', Mmap);
    // Before the call: one that fails half way has coloured some.
    this.#note(map);
    map.protectWithKey(offset, byteLength, access, this.id);
  }

  /** @internal Whether pages may carry the key: no if each map that was ever coloured with it is closed. */
  get mayBeCarried(): boolean {
    return this.#maps.some((reference) => reference.deref()?.closed !== true);
  }

  /** @internal */
  release(): void {
    this.#released = true;
    ownKeys.remove(this);
    keySystem().free(this.id);
  }

  #note(map: Mmap): void {
    if (this.#known.has(map)) return;
    const open = this.#maps.filter((reference) => reference.deref()?.closed !== true);
    this.#maps.splice(0, this.#maps.length, ...open, new WeakRef(map));
    this.#known.add(map);
  }
}

/** Keys held together. Dispose it to give them back. */
export class KeyLease implements Disposable {
  /** The keys, in the order of their stripes; empty where there is no support. */
  readonly keys: readonly ProtectionKey[];

  /** @internal Leases come from {@link keys}. */
  constructor(held: readonly ProtectionKey[]) {
    this.keys = held;
  }

  /**
   * Gives the keys back. Disposing again does nothing.
   *
   * The kernel hands a freed number out again while old pages still have it. So unless every map that was coloured with
   * them is closed, it is asked which pages carry them (`/proc/self/smaps`: a microsecond or two for each mapping).
   *
   * @throws {@link KeyInUseError} if pages carry one of them; all are kept then
   */
  dispose(): void {
    const held = this.keys.filter((key) => !key.released);
    if (held.length === 0) return;
    const suspects = held.filter((key) => key.mayBeCarried);
    const coloured = suspects.length === 0 ? new Map<number, number>() : colouredBytes();
    for (const { id } of suspects) {
      const byteLength = coloured.get(id) ?? 0;
      if (byteLength > 0) throw new KeyInUseError(id, byteLength);
    }
    for (const key of held) key.release();
  }

  /** The same as {@link KeyLease.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }
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
  if (max === 0 || !isSupported()) return new KeyLease([]);
  const held: ProtectionKey[] = [];
  while (held.length < max) {
    try {
      held.push(new ProtectionKey(keySystem().allocate(), held.length));
      noteSupported();
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOSPC') {
        new KeyLease(held).dispose();
        throw error;
      }
      if (held.length === 0) throw new KeysExhaustedError(error);
      break;
    }
  }
  return new KeyLease(held);
}
