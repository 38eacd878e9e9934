/**
 * The slab of a shared pool, and the keys of its stripes: of all threads that are attached, and gone with the last of them, wherever it
 * ends.
 */
import {
  adoptMap,
  countJointMappings,
  jointHandleOf,
  keepJointMap,
  reserveJointly,
  type JointMapHandle,
  type Mmap,
  type VirtualMemory,
} from '@guardstripe/mmap';
import {
  adoptKeys,
  KeyReleasedError,
  leaveKeys,
  shareKeys,
  type JointKey,
  type KeyLease,
} from '@guardstripe/mpk';
import { PoolAttachError, PoolClosedError } from '../errors.js';
import type { SlabPages } from '../slots/pages.js';

/** One thread's hold on the slab. */
export class SharedSlab implements SlabPages {
  readonly #map: Mmap;

  private constructor(map: Mmap) {
    this.#map = map;
  }

  /** @throws `SystemError` if the system has no room */
  static reserve(byteLength: number, virtualMemory: VirtualMemory): SharedSlab {
    return new SharedSlab(reserveJointly(byteLength, { virtualMemory }));
  }

  /** @throws {@link PoolClosedError} if nobody has it any more; {@link PoolAttachError} if this thread cannot have it */
  static adopt(place: JointMapHandle): SharedSlab {
    try {
      return new SharedSlab(adoptMap(place));
    } catch (cause) {
      if ((cause as { code?: unknown }).code === 'ERR_MMAP_SHARED_GONE')
        throw new PoolClosedError('attach to the pool');
      throw new PoolAttachError('this thread cannot have its slab', { cause });
    }
  }

  get address(): number {
    return this.#map.address;
  }

  get byteLength(): number {
    return this.#map.byteLength;
  }

  /** What {@link SharedSlab.adopt} takes. */
  get place(): JointMapHandle {
    return jointHandleOf(this.#map);
  }

  /** Makes keys that this thread has taken the slab's. Returns what other threads adopt them by. */
  shareKeys(lease: KeyLease): readonly JointKey[] {
    return shareKeys(lease, this.#map);
  }

  /** The slab's keys in this thread, opened. @throws {@link PoolAttachError} if they are others' */
  adoptKeys(keys: readonly JointKey[]): KeyLease {
    try {
      return adoptKeys(this.#map, keys);
    } catch (cause) {
      if (!(cause instanceof KeyReleasedError)) throw cause;
      throw new PoolAttachError('the handle was written to', { cause });
    }
  }

  /** Somebody may reach a part of it who is not attached: nobody unmaps it any more. */
  keepForGood(isKept = true): void {
    keepJointMap(this.#map, isKept);
  }

  /** Counts mappings of its slots, or, with a negative number, fewer. Those that are left count until the slab is gone, whoever ended. */
  countMappings(mappings: number): void {
    countJointMappings(this.#map, mappings);
  }

  /** This thread lets go; the last one unmaps. @throws `SystemError`; trying again is possible */
  close(): void {
    this.#map.close();
  }

  /** The same, and its keys with it. @throws `SystemError`; trying again is possible */
  closeWith(lease: KeyLease): void {
    leaveKeys(lease, () => this.close());
  }
}
