/**
 * Laying a saved memory over the pages of a `WebAssembly.Memory`: V8 goes on to own the range and knows of nothing, and its
 * pages are those of the file until they are written.
 */
import type { VirtualMemory } from '@guardstripe/mmap';

import { copyBack } from './pages.js';
import type { SavedMemory } from './saved-memory.js';

/** Stands for a descriptor where nothing is to be mapped. */
const NO_FILE = -1;

/** A memory's bytes and where they are. */
export interface Range {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Maps the saved runs over the memory's pages and drops the others, so that they are zeros.
 *
 * @param laid - what was laid over this range before, if anything: its pages are not V8's anonymous ones any more
 * @returns false if the system refused; the memory then holds the saved bytes all the same, copied
 * @throws what the system said if it left pages without any mapping, and refuses to map zeros there, too
 */
export function layOver(
  range: Range,
  saved: SavedMemory,
  laid: SavedMemory | undefined,
  virtualMemory: VirtualMemory,
): boolean {
  const { fd = NO_FILE } = saved;
  if (fd === NO_FILE && saved.runs.length > 0) return false;
  try {
    if (laid !== undefined && laid !== saved) removeLaid(range, laid, virtualMemory);
    let end = 0;
    for (const { offset, byteLength, fileOffset } of saved.runs) {
      drop(range, end, offset, virtualMemory);
      virtualMemory.mapFile(fd, fileOffset, range.address + offset, byteLength, 'read-write', 'private');
      end = offset + byteLength;
    }
    drop(range, end, range.bytes.byteLength, virtualMemory);
    return true;
  } catch {
    mend(range, virtualMemory);
    copyBack(range.bytes, saved);
    return false;
  }
}

/** Puts anonymous pages of zeros where an image was laid. */
export function removeLaid({ address, bytes }: Range, laid: SavedMemory, virtualMemory: VirtualMemory): void {
  for (const { offset, byteLength } of laid.runs) {
    if (offset < bytes.byteLength) virtualMemory.mapZeros(address + offset, byteLength, 'read-write');
  }
}

function drop({ address, bytes }: Range, start: number, end: number, virtualMemory: VirtualMemory): void {
  if (start === end) return;
  try {
    virtualMemory.decommit(address + start, end - start);
  } catch {
    // Locked pages cannot be dropped (EINVAL), and can be written.
    bytes.fill(0, start, end);
  }
}

/**
 * A mapping over others that fails can leave none at all: older kernels take the old one away first. Then any touch would end
 * the process, so zeros are mapped in its place; the bytes are copied after that.
 */
export function mend({ address, bytes }: Range, virtualMemory: VirtualMemory): void {
  try {
    virtualMemory.accessOf(address, bytes.byteLength);
  } catch {
    virtualMemory.mapZeros(address, bytes.byteLength, 'read-write');
  }
}
