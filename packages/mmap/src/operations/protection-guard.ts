/**
 * Other access for a while. What to put back is read from the kernel when the guard is made: an image, a native library or
 * another thread may have changed the pages without the map's knowledge.
 */

import { checkAccess } from '../checks.js';
import { unknownAccess } from '../errors.js';
import type { Mapping } from '../mapping.js';
import type { Access } from '../platform/virtual-memory.js';

/** Pages that allow the same: an offset in the map, bytes, and their access. */
interface Run {
  readonly offset: number;
  readonly byteLength: number;
  readonly access: Access;
}

/** Made by {@link Mmap.protectWhile}; puts back what a range allowed before. Made for `using`. */
export class ProtectionGuard implements Disposable {
  readonly #mapping: Mapping;
  readonly #before: readonly Run[];
  #restored = false;

  /** @internal */
  constructor(mapping: Mapping, before: readonly Run[]) {
    this.#mapping = mapping;
    this.#before = before;
    mapping.openGuards += 1;
  }

  /** True once the range is as it was, or its map is closed. */
  get restored(): boolean {
    return this.#restored || !this.#mapping.isOpen;
  }

  /**
   * Gives every page of the range the access it had when the guard was made; protection keys stay as they are. Idempotent.
   * Does nothing once the map is closed.
   *
   * @throws {@link SystemError} when the system refuses; restoring can be tried again.
   */
  restore(): void {
    if (this.restored) return;
    setAll(this.#mapping, this.#before);
    this.#restored = true;
    this.#mapping.openGuards -= 1;
  }

  /** The same as `restore()`. */
  [Symbol.dispose](): void {
    this.restore();
  }
}

export function protectWhile(
  mapping: Mapping,
  offset: number,
  byteLength: number,
  access: Access,
): ProtectionGuard {
  const start = mapping.startOf(offset, byteLength);
  checkAccess(access);
  if (byteLength === 0) return new ProtectionGuard(mapping, []);
  const pagesBytes = mapping.endOf(offset, byteLength) - start;
  const before = runsNow(mapping, start, pagesBytes);
  try {
    mapping.virtualMemory.protect(start, pagesBytes, access);
  } catch (error) {
    // A range of several mappings may have been changed up to the one that was refused.
    try {
      setAll(mapping, before);
    } catch {
      // The first refusal is the one that explains.
    }
    throw error;
  }
  return new ProtectionGuard(mapping, before);
}

/** Refuses pages whose access could be changed, but not put back. */
function runsNow(mapping: Mapping, start: number, pagesBytes: number): Run[] {
  return mapping.virtualMemory.accessOf(start, pagesBytes).map(({ address, byteLength, access }) => {
    if (access === 'other') throw unknownAccess(address, byteLength);
    return { offset: address - mapping.mapAddress, byteLength, access };
  });
}

function setAll(mapping: Mapping, runs: readonly Run[]): void {
  for (const { offset, byteLength, access } of runs) {
    mapping.virtualMemory.protect(mapping.mapAddress + offset, byteLength, access);
  }
}
