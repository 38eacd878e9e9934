/**
 * Finding a range's own pages where many others are there that were only read. Between images those are pages of zeros, which nobody
 * has to hear of; over an image a page of zeros is one that was written.
 */

import { checkRuns, pageRuns, type PageRuns } from '../platform/page-runs.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { Contents } from './contents.js';

/** Pages of zeros that have to be passed before leaving them out is worth another system call. */
const WORTH_A_CALL = 160;
/** Scans that leave them out before the next one that counts them. */
const SCANS = 15;
/** Runs of one part. */
const PART_RUNS = 128;

/** Shared by all of a thread. */
const part = pageRuns(PART_RUNS);

/** Whether a range is scanned in parts, by what its last whole scan counted. */
export class ApartScan {
  /** Pages of zeros that were last counted. */
  zeroPages = 0;
  #left = 0;

  /** A whole scan counted so many pages of zeros, and they are kept. */
  counted(zeroPages: number, contents: Contents, byteLength: number): void {
    if (zeroPages === 0 || contents.unmappedBytes > 0) return;
    let parts = 0;
    for (let at = 0; at < byteLength; at = contents.boundBehind(at)) parts += 1;
    if (zeroPages <= (parts - 1) * WORTH_A_CALL) return;
    this.zeroPages = zeroPages;
    this.#left = SCANS;
  }

  /** Other pages may be there from now on. */
  forget(): void {
    this.#left = 0;
  }

  /**
   * Fills `runs` with all that is there but zeros between images. False if that does not pay, or there is no room for it: a whole scan
   * is to be made then.
   */
  scan(
    virtualMemory: VirtualMemory,
    contents: Contents,
    base: number,
    byteLength: number,
    runs: PageRuns,
  ): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    let count = 0;
    for (let at = 0, upTo; at < byteLength; at = upTo) {
      upTo = Math.min(contents.boundBehind(at), byteLength);
      if (contents.touchesImage(at, upTo)) virtualMemory.scanPages(base + at, upTo - at, part);
      else virtualMemory.scanOwnPages(base + at, upTo - at, part);
      checkRuns(part, base + at, upTo - at);
      if (part.walkEnd !== base + upTo || count + part.count > runs.starts.length) return false;
      for (let i = 0; i < part.count; i++, count++) {
        runs.starts[count] = part.starts[i]!;
        runs.ends[count] = part.ends[i]!;
        runs.kinds[count] = part.kinds[i]!;
      }
    }
    runs.count = count;
    runs.walkEnd = base + byteLength;
    return true;
  }
}
