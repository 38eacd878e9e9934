/**
 * Longer and shorter maps (`mremap`). The order of steps is chosen so that a refusal at any of them leaves the file as it
 * was, and the map as long as it was with the same bytes in it; it may have moved, and then its views are gone.
 */

import {
  bytesOutOfRange,
  checkBoolean,
  checkBytes,
  checkPages,
  invalidArgValue,
  readOptions,
  size,
} from '@guardstripe/common';
import { fstatSync } from 'node:fs';

import { fileMappedElsewhere, fromNodeError, MmapBusyError, notResizable } from '../errors.js';
import type { Mapping } from '../mapping.js';
import { layZeros, withhold } from '../views/withheld.js';

/** Options of {@link Mmap.resize}. */
export interface ResizeOptions {
  /**
   * Make the file longer when the map ends behind its end; zeros are read there. Needs a shared, read-write map. Default false: past
   * the end of the file is a `RangeError`.
   */
  readonly growFile?: boolean;
  /**
   * Cut the file where the map ends, whatever lies behind. Needs a shared, read-write map made with `resizable`. Refused where
   * this process has mapped a part that would be lost (`ERR_MMAP_FILE_MAPPED`); other processes are not asked. Default false: the
   * file stays as long as it is.
   */
  readonly shrinkFile?: boolean;
}

export function resize(mapping: Mapping, newByteLength: number, options: ResizeOptions): void {
  // Options first: reading them may run the caller's code, which may close the map.
  const { growFile = false, shrinkFile = false } = readOptions(options, ['growFile', 'shrinkFile']);
  checkBoolean(growFile, 'options.growFile');
  checkBoolean(shrinkFile, 'options.shrinkFile');
  mapping.assertOpen();
  const newFileBytes = checkNewLength(mapping, newByteLength, growFile);
  const cut = shrinkFile ? checkCut(mapping, newByteLength) : undefined;
  const numHolders = mapping.guards.size + mapping.pins;
  if (mapping.pendingCalls > 0 || numHolders > 0) throw new MmapBusyError(mapping.pendingCalls, numHolders);
  const granule = mapping.granuleBytes;
  const newMapBytes = Math.ceil((mapping.leadBytes + newByteLength) / granule) * granule;
  const { mapAddress: oldAddress, mapBytes: oldMapBytes, byteLength: oldByteLength } = mapping;
  if (cut !== undefined && newMapBytes < oldMapBytes) {
    cutUnder(mapping, newMapBytes, cut);
    dropEnd(mapping, newMapBytes, newByteLength);
    return;
  }
  if (newMapBytes === oldMapBytes) {
    mapping.endViews();
    mapping.moveTo(oldAddress, oldMapBytes, newByteLength);
  } else changePages(mapping, newMapBytes, newByteLength);
  try {
    if (newMapBytes > oldMapBytes && mapping.hasReplacedPages) zeroEnd(mapping, oldMapBytes);
    // Last, so that no refused call leaves a longer file behind.
    if (newFileBytes !== undefined) growTo(mapping, newFileBytes);
    if (cut !== undefined) mapping.virtualMemory.truncateFile(cut.fd, cut.fileBytes);
  } catch (error) {
    undo(mapping, oldMapBytes, oldByteLength);
    throw error;
  }
}

/** Takes back a change of length. What refuses to go stays mapped, but is shown no more: its file may end before. */
function undo(mapping: Mapping, oldMapBytes: number, oldByteLength: number): void {
  const { mapAddress, mapBytes, virtualMemory } = mapping;
  try {
    if (oldMapBytes === 0) virtualMemory.unmap(mapAddress, mapBytes);
    else if (mapBytes > oldMapBytes) virtualMemory.resize(mapAddress, mapBytes, oldMapBytes);
    mapping.moveTo(oldMapBytes === 0 ? 0 : mapAddress, oldMapBytes, oldByteLength);
  } catch {
    mapping.moveTo(mapAddress, mapBytes, oldByteLength);
  }
}

/**
 * Longer or shorter pages, and no address for anybody else that a view of this map may still reach. Views end after the
 * call that can be refused: a refusal leaves them.
 */
function changePages(mapping: Mapping, newMapBytes: number, newByteLength: number): void {
  const { virtualMemory, mapAddress, mapBytes } = mapping;
  if (mapBytes === 0) mapFirst(mapping, newMapBytes, newByteLength);
  else if (!mapping.isWatched) {
    const newAddress = virtualMemory.resize(mapAddress, mapBytes, newMapBytes);
    mapping.endViews();
    mapping.moveTo(newAddress, newMapBytes, newByteLength);
  } else if (newMapBytes < mapBytes) {
    const [end, lostBytes] = [mapAddress + newMapBytes, mapBytes - newMapBytes];
    layZeros(virtualMemory, end, lostBytes);
    withhold(virtualMemory, end, lostBytes, mapping.endViews());
    mapping.moveTo(mapAddress, newMapBytes, newByteLength);
  } else if (virtualMemory.resizeInPlace(mapAddress, mapBytes, newMapBytes)) {
    mapping.endViews();
    mapping.moveTo(mapAddress, newMapBytes, newByteLength);
  } else moveAway(mapping, newMapBytes, newByteLength);
}

/** An empty file had no pages that could become more. */
function mapFirst(mapping: Mapping, newMapBytes: number, newByteLength: number): void {
  const { fd, offset, access, sharing } = mapping.file!;
  // Without a descriptor the new length was refused.
  const address = mapping.virtualMemory.mapFile(fd!, offset, 0, newMapBytes, access, sharing);
  mapping.endViews();
  mapping.moveTo(address, newMapBytes, newByteLength);
}

/** First away from the addresses, which stay mapped all the time, then longer. Refused at the second step, the map has moved. */
function moveAway(mapping: Mapping, newMapBytes: number, newByteLength: number): void {
  const { virtualMemory, mapAddress, mapBytes, byteLength } = mapping;
  const between = virtualMemory.moveLeavingRange(mapAddress, mapBytes);
  const reach = mapping.endViews();
  mapping.moveTo(between, mapBytes, byteLength);
  try {
    layZeros(virtualMemory, mapAddress, mapBytes);
  } catch {
    // What is left there is no tenant's: empty pages, or those of the same file.
  }
  withhold(virtualMemory, mapAddress, mapBytes, reach);
  mapping.moveTo(virtualMemory.resize(between, mapBytes, newMapBytes), newMapBytes, newByteLength);
}

/** Refuses a length that cannot be. Returns the length that the file has to be given, if it must grow. */
function checkNewLength(mapping: Mapping, newByteLength: number, growFile: boolean): number | undefined {
  const { file, virtualMemory, granuleBytes } = mapping;
  if (file === undefined) {
    if (growFile) throw invalidArgValue('options.growFile', 'must be false for a map of no file', growFile);
    checkPages(newByteLength, 'newByteLength', virtualMemory.pageSize, 1);
    checkRoom(newByteLength, mapping.leadBytes, granuleBytes);
    return undefined;
  }
  checkBytes(newByteLength, 'newByteLength');
  if (newByteLength === 0) throw bytesOutOfRange('newByteLength', 'at least 1', newByteLength);
  checkRoom(newByteLength, file.offset, granuleBytes);
  if (growFile && !file.writesFile) {
    throw invalidArgValue('options.growFile', 'must be false for a map that cannot write its file', growFile);
  }
  if (newByteLength <= mapping.byteLength) return undefined;
  if (file.fd === undefined || mapping.hasReplacedPages) throw notResizable();
  const { fd, offset } = file;
  const fileBytes = attempt(() => fstatSync(fd)).size;
  if (offset + newByteLength <= fileBytes) return undefined;
  if (!growFile) {
    const rule = `at most ${size(Math.max(0, fileBytes - offset))}, where the file ends, unless growFile is true`;
    throw bytesOutOfRange('newByteLength', rule, newByteLength);
  }
  return offset + newByteLength;
}

/** Where a file is to end. */
interface Cut {
  readonly fd: number;
  readonly fileBytes: number;
}

/** Refuses to cut a file that the map may not change, or of which somebody in this process would lose pages. */
function checkCut(mapping: Mapping, newByteLength: number): Cut {
  const { file, virtualMemory, mapAddress, mapBytes } = mapping;
  if (file?.writesFile !== true || mapBytes === 0) {
    throw invalidArgValue('options.shrinkFile', 'must be false for a map that cannot write its file', true);
  }
  const { fd, offset } = file;
  if (fd === undefined || mapping.hasReplacedPages) throw notResizable();
  const fileBytes = offset + newByteLength;
  const end = Math.ceil(fileBytes / mapping.granuleBytes) * mapping.granuleBytes;
  for (const run of virtualMemory.mappingsOfFile(mapAddress)) {
    const isOurs = run.address >= mapAddress && run.address < mapAddress + mapBytes;
    if (isOurs || run.fileOffset + run.byteLength <= end) continue;
    throw fileMappedElsewhere(run.address, run.byteLength);
  }
  return { fd, fileBytes };
}

/**
 * Cuts a file under the end of its own map. Zero pages lie there first: nobody meets a page that the file has lost, not a pending
 * operation on a view, nor another thread. After a refusal the file's pages lie there again.
 */
function cutUnder(mapping: Mapping, newMapBytes: number, { fd, fileBytes }: Cut): void {
  const { virtualMemory, mapAddress, mapBytes, leadBytes, file } = mapping;
  const [address, lostBytes] = [mapAddress + newMapBytes, mapBytes - newMapBytes];
  const before = virtualMemory.accessOf(address, lostBytes);
  layZeros(virtualMemory, address, lostBytes);
  mapping.locked.delete(newMapBytes, mapBytes);
  try {
    virtualMemory.truncateFile(fd, fileBytes);
  } catch (error) {
    const { offset, access, sharing } = file!;
    try {
      virtualMemory.mapFile(fd, offset - leadBytes + newMapBytes, address, lostBytes, access, sharing);
      for (const run of before) {
        if (run.access !== access && run.access !== 'other')
          virtualMemory.protect(run.address, run.byteLength, run.access);
      }
    } catch {
      // The first refusal is the one that explains. What could not be put back reads zeros.
      mapping.hasReplacedPages = true;
    }
    throw error;
  }
}

/** Gives the zero pages back under which a file was cut. The file is what was asked for: should they refuse to go, they are shown no more. */
function dropEnd(mapping: Mapping, newMapBytes: number, newByteLength: number): void {
  try {
    changePages(mapping, newMapBytes, newByteLength);
  } catch {
    mapping.endViews();
    mapping.moveTo(mapping.mapAddress, mapping.mapBytes, newByteLength);
    mapping.hasReplacedPages = true;
  }
}

/** A sum with what lies before, rounded up, must be a number still. */
function checkRoom(newByteLength: number, beforeBytes: number, granuleBytes: number): void {
  const most = Number.MAX_SAFE_INTEGER - beforeBytes - granuleBytes;
  if (newByteLength > most) throw bytesOutOfRange('newByteLength', `at most ${size(most)}`, newByteLength);
}

/** The kernel lengthens the last mapping; if that is an image, the new pages lie behind its end and would fault. */
function zeroEnd(mapping: Mapping, oldMapBytes: number): void {
  const { virtualMemory, mapAddress, mapBytes } = mapping;
  const end = mapAddress + oldMapBytes;
  const last = virtualMemory.accessOf(end - virtualMemory.pageSize, virtualMemory.pageSize).at(-1);
  const access = last === undefined || last.access === 'other' ? 'none' : last.access;
  virtualMemory.mapZeros(end, mapBytes - oldMapBytes, access);
}

function growTo(mapping: Mapping, newFileBytes: number): void {
  const { fd } = mapping.file ?? {};
  if (fd !== undefined) mapping.virtualMemory.extendFile(fd, newFileBytes);
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNodeError(error);
  }
}
