/** What the data segments of each memory are together, gathered in one pass over the module. */
import type { ActiveSegment, MemoryType, ParsedModule } from '../types.js';

/** A segment that writes something inside of a memory's initial size. */
export interface PlacedSegment {
  /** Bytes from the memory's start. */
  readonly offset: number;
  /** Where its bytes lie in the module. */
  readonly start: number;
  /** Never 0. */
  readonly byteLength: number;
}

/** Only an instance can initialize the memory. */
export interface Unsupported {
  readonly kind: 'unsupported';
  /** `offset too large`: the offset is no safe integer; no host has a memory of that size. */
  readonly reason: 'offset not constant' | 'offset too large';
  /** The first such segment, by its index in the module. */
  readonly segmentIndex: number;
}

/** A segment does not fit the initial size: the specification lets every instantiation trap. */
export interface OutOfBounds {
  readonly kind: 'out-of-bounds';
  /** The first such segment, by its index in the module. */
  readonly segmentIndex: number;
  readonly offset: bigint;
  readonly byteLength: number;
  /** The memory's initial size in bytes. */
  readonly initialBytes: bigint;
}

/** Offsets up to here stay exact when a segment's length, below 2^32, and the rounding to a page are added. */
const MAX_EXACT_BYTES = 2n ** 52n;

/** By the memory's index; none for a memory that no segment names. Most of a hostile module's 100,000 memories are such. */
export function surveyMemories({ memories, dataSegments }: ParsedModule): (MemorySurvey | undefined)[] {
  const surveys: (MemorySurvey | undefined)[] = [];
  for (const [segmentIndex, segment] of dataSegments.entries()) {
    if (segment.mode !== 'active') continue;
    const memory = memories[segment.memoryIndex];
    if (memory === undefined || memory.imported !== undefined) continue;
    (surveys[segment.memoryIndex] ??= new MemorySurvey(memory)).add(segmentIndex, segment);
  }
  return surveys;
}

/** The segments of one memory. */
export class MemorySurvey {
  readonly initialBytes: bigint;
  /** The segments that write anything, in order. */
  readonly segments: PlacedSegment[] = [];
  /** The first byte that is written to. */
  first = Number.MAX_SAFE_INTEGER;
  /** The end of the last byte that is written to. */
  last = 0;
  /** Sum of the segments' lengths. */
  dataBytes = 0;
  outOfBounds: OutOfBounds | undefined;
  unsupported: Unsupported | undefined;
  /** The initial size where a number holds it exactly: a sum of bigints is made on the heap, for every segment. */
  readonly #exactBytes: number | undefined;

  constructor(memory: MemoryType) {
    this.initialBytes = memory.minimumPages * BigInt(memory.pageSize);
    this.#exactBytes = this.initialBytes <= MAX_EXACT_BYTES ? Number(this.initialBytes) : undefined;
  }

  add(segmentIndex: number, { offset, start, byteLength }: ActiveSegment): void {
    if (offset === 'not constant') {
      this.unsupported ??= { kind: 'unsupported', reason: 'offset not constant', segmentIndex };
      return;
    }
    const offsetNumber = Number(offset);
    // An empty segment may lie at the very end, and traps behind it like any other. An offset too large for a number
    // was rounded, which leaves it above every exact size.
    const fits =
      this.#exactBytes === undefined
        ? offset + BigInt(byteLength) <= this.initialBytes
        : offsetNumber + byteLength <= this.#exactBytes;
    if (!fits) {
      const { initialBytes } = this;
      this.outOfBounds ??= { kind: 'out-of-bounds', segmentIndex, offset, byteLength, initialBytes };
    } else if (offset > MAX_EXACT_BYTES) {
      if (byteLength > 0)
        this.unsupported ??= { kind: 'unsupported', reason: 'offset too large', segmentIndex };
    } else if (byteLength > 0) {
      this.segments.push({ offset: offsetNumber, start, byteLength });
      this.first = Math.min(this.first, offsetNumber);
      this.last = Math.max(this.last, offsetNumber + byteLength);
      this.dataBytes += byteLength;
    }
  }
}
