/** The pages that are restored, what they go back to, and what the present restore did to them. */

import { imageDetached, SystemError } from '../errors.js';
import { PageKind, type PageRuns } from '../platform/page-runs.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { Contents } from './contents.js';
import type { Range } from './range.js';
import type { RestoreResult } from './strategies.js';

/** Writing and dropping, up to the limit, with the books that a result is made of. Offsets are bytes of the range. */
export class Target {
  readonly result: { -readonly [K in keyof RestoreResult]: RestoreResult[K] } = {
    strategy: 'drop',
    bytesWritten: 0,
    bytesDropped: 0,
    bytesResident: 0,
    leftOffset: 0,
    leftBytes: 0,
  };
  range: Range;
  contents: Contents;
  /** Most bytes that a restore writes and keeps. */
  maxBytes = 0;
  readonly virtualMemory: VirtualMemory;
  readonly #onRefusal: (error: SystemError) => void;

  constructor(
    range: Range,
    contents: Contents,
    virtualMemory: VirtualMemory,
    onRefusal: (error: SystemError) => void,
  ) {
    this.range = range;
    this.contents = contents;
    this.virtualMemory = virtualMemory;
    this.#onRefusal = onRefusal;
  }

  /** Begins a restore: nothing was done yet. Returns where the range is. */
  start(): number {
    const { result } = this;
    result.strategy = 'drop';
    result.bytesWritten = 0;
    result.bytesDropped = 0;
    result.bytesResident = 0;
    result.leftOffset = 0;
    result.leftBytes = 0;
    return this.range.locate();
  }

  /** Goes on after a refusal of the system; anything else is thrown. */
  refused(error: unknown): void {
    if (!(error instanceof SystemError)) throw error;
    this.#onRefusal(error);
  }

  write(base: number, start: number, end: number): void {
    this.contents.write(base, start, end);
    this.result.bytesWritten += end - start;
  }

  /** Writes the images alone that dropping does not bring back. */
  writeUnmapped(base: number): void {
    const written = this.contents.writeUnmapped(base);
    this.result.bytesWritten += written;
    this.result.bytesResident += written;
  }

  /** Writes what a walk found, up to the limit; returns the offset behind which it did not. */
  writeRuns(base: number, runs: PageRuns): number | undefined {
    const { result, contents, maxBytes } = this;
    const { starts, ends, kinds, count } = runs;
    let { bytesWritten } = result;
    let over: number | undefined;
    for (let i = 0; i < count; i++) {
      const kind = kinds[i];
      if (kind === PageKind.FILE) continue;
      const start = starts[i]! - base;
      const end = ends[i]! - base;
      // Over an image a page of zeros is one that was written, and that KSM found to hold nothing else.
      if (kind === PageKind.ZERO && !contents.touchesImage(start, end)) continue;
      const upTo = bytesWritten + end - start > maxBytes ? start + maxBytes - bytesWritten : end;
      if (upTo > start) contents.write(base, start, upTo);
      bytesWritten += upTo - start;
      if (upTo < end) {
        over = upTo;
        break;
      }
    }
    result.bytesWritten = bytesWritten;
    result.bytesResident = bytesWritten;
    return over;
  }

  /**
   * Leaves all from `from` on to be dropped. Where there are images that dropping does not bring back, those are written,
   * and their neighbours are dropped now.
   */
  dropFrom(base: number, from: number): void {
    const { result, contents } = this;
    const { byteLength } = this.range;
    if (contents.unmappedBytes === 0) {
      result.leftOffset = from;
      result.leftBytes = byteLength - from;
      return;
    }
    if (!contents.isAttached) throw imageDetached();
    for (const droppable of contents.droppables) {
      const start = Math.max(droppable.start, from);
      const end = Math.min(droppable.end, byteLength);
      if (start >= end) continue;
      this.virtualMemory.decommit(base + start, end - start);
      result.bytesDropped += end - start;
    }
    this.writeUnmapped(base);
  }

  /** Drops what {@link Target.dropFrom} left, or writes it where the system refuses. */
  dropLeft(): void {
    const { result } = this;
    const { leftOffset, leftBytes } = result;
    if (leftBytes === 0) return;
    const base = this.range.locate();
    try {
      this.virtualMemory.decommit(base + leftOffset, leftBytes);
      result.bytesDropped += leftBytes;
    } catch (error) {
      // Locked pages, for one, cannot be dropped.
      this.refused(error);
      if (!this.contents.isAttached) throw error;
      this.write(base, leftOffset, leftOffset + leftBytes);
      result.bytesResident += leftBytes;
    }
    result.leftBytes = 0;
  }

  /** Drops pages that dropping restores; false where the system refuses. */
  tryDrop(address: number, byteLength: number): boolean {
    try {
      this.virtualMemory.decommit(address, byteLength);
      return true;
    } catch (error) {
      this.refused(error);
      return false;
    }
  }
}
