/**
 * Laying a saved memory over the pages of a `WebAssembly.Memory`: V8 goes on to own the range and knows of nothing, and its
 * pages are those of the file until they are written.
 */
import type { VirtualMemory } from '@guardstripe/mmap';

import { copyBack, type PageRun } from './pages.js';
import { MAX_OWN, type SavedMemory } from './saved-memory.js';

/** Stands for a descriptor where no run is mapped. */
const NO_FILE = -1;

/** A memory's bytes and where they are. */
export interface Range {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * What is mapped over a memory's pages: the runs of a saved one, nothing, or `'partly'` after a refusal, when nobody can say. Dropping
 * a page brings back what is mapped there.
 */
export type Laid = SavedMemory | 'partly' | undefined;

/**
 * Maps the saved runs over the memory's pages, copies those that are too many, and drops the other pages, so that they are zeros.
 *
 * @param laid - what was laid over this range before, if anything: its pages are not V8's anonymous ones any more
 * @returns false if the system refused; the memory then holds the saved bytes all the same, copied, and is laid `'partly'`
 * @throws what the system said if it left pages without any mapping, and refuses to map zeros there, too
 */
export function layOver(range: Range, saved: SavedMemory, laid: Laid, virtualMemory: VirtualMemory): boolean {
  const { fd = NO_FILE } = saved;
  try {
    saved.layOut([]);
    if (laid !== saved) removeLaid(range, laid, virtualMemory);
    let end = 0;
    for (const { offset, byteLength, fileOffset, isMapped, bytes } of saved.runs) {
      drop(range, end, offset, virtualMemory);
      end = offset + byteLength;
      if (!isMapped) {
        range.bytes.set(bytes, offset);
        continue;
      }
      virtualMemory.mapFile(fd, fileOffset, range.address + offset, byteLength, 'read-write', 'private');
    }
    drop(range, end, range.bytes.byteLength, virtualMemory);
    return true;
  } catch {
    mend(range, virtualMemory);
    copyBack(range.bytes, saved);
    return false;
  }
}

/** Room for one run more than are ever left out. */
const ROOM = MAX_OWN.runs + 1;
const runs = {
  starts: new Float64Array(ROOM),
  ends: new Float64Array(ROOM),
  kinds: new Uint8Array(ROOM),
  count: 0,
  walkEnd: 0,
};

/** The pages that a plain range has of its own; the first of them, where they are many. */
export function ownPages({ address, bytes }: Range, virtualMemory: VirtualMemory): PageRun[] {
  try {
    virtualMemory.scanOwnPages(address, bytes.byteLength, runs);
  } catch {
    return []; // They are mapped over, then.
  }
  return Array.from({ length: runs.count }, (_, i) => ({
    offset: runs.starts[i]! - address,
    byteLength: runs.ends[i]! - runs.starts[i]!,
  }));
}

/** Puts anonymous pages of zeros where an image was laid. */
export function removeLaid({ address, bytes }: Range, laid: Laid, virtualMemory: VirtualMemory): void {
  if (laid === 'partly') return virtualMemory.mapZeros(address, bytes.byteLength, 'read-write');
  if (laid === undefined) return;
  for (const { offset, byteLength, isMapped } of laid.runs) {
    if (isMapped && offset < bytes.byteLength)
      virtualMemory.mapZeros(address + offset, byteLength, 'read-write');
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
