/**
 * How each memory of a module gets its first bytes: as an image, which a slot maps copy-on-write, or segment by segment.
 *
 * ```
 *  memory  0 ............ segment A ..... segment B ... segment C ............ initial size
 *  pages   |         |         |         |         |         |         |         |
 *  image             [000AAAAAAAAA000BBBBBBBBB000CCCCC0000000)
 *                    offsetBytes                             offsetBytes + bytes.length
 * ```
 */
import { InvalidTypeError, OutOfRangeError } from '../errors.js';
import { ImageBudget } from './image-budget.js';
import type { ActiveSegment, MemoryType, ParsedModule } from './types.js';

/** Which memory a plan is for. */
export interface PlannedMemory {
  /** Index among all memories of the module, imported ones first. */
  readonly memoryIndex: number;
  /** Index among the memories that the module defines. */
  readonly definedIndex: number;
}

/** A piece of initial data. */
export interface PlannedSegment {
  /** Bytes from the memory's start. */
  readonly offset: number;
  /** A view of the module's own bytes. Never empty. */
  readonly data: Uint8Array;
}

/** How one memory gets its first bytes. All other bytes are zero. */
export type ImagePlan = PlannedMemory &
  (
    | /** Nothing is written: zeros only. */ { readonly kind: 'none' }
    | {
        /** One image, of whole host pages, inside the initial size. */
        readonly kind: 'image';
        /** Where it starts in the memory; a multiple of the host's page. */
        readonly offsetBytes: number;
        /** What it holds; its length is a multiple of the host's page. */
        readonly bytes: Uint8Array;
      }
    | {
        /** The segments are written one by one, in this order, at each allocation. */
        readonly kind: 'segments';
        /**
         * `sparse`: an image would be mostly zeros. `partial page`: the initial size ends inside a host page
         * that the image would need, as it can with custom page sizes.
         */
        readonly reason: 'sparse' | 'partial page';
        readonly segments: readonly PlannedSegment[];
      }
    | {
        /** Only an instance can initialise the memory. */
        readonly kind: 'unsupported';
        /** `offset too large`: the offset is no safe integer; no host has a memory of that size. */
        readonly reason: 'offset not constant' | 'offset too large';
        /** The first such segment, by its index in the module. */
        readonly segmentIndex: number;
      }
    | {
        /** A segment does not fit the initial size: the specification lets every instantiation trap. */
        readonly kind: 'out-of-bounds';
        /** The first such segment, by its index in the module. */
        readonly segmentIndex: number;
        readonly offset: bigint;
        readonly byteLength: number;
        /** The memory's initial size in bytes. */
        readonly initialBytes: bigint;
      }
  );

/** Hosts have pages of 4, 16 or 64 KiB; the upper bound keeps `offset + length` of all roundings exact. */
const MIN_HOST_PAGE_BYTES = 4096;
const MAX_HOST_PAGE_BYTES = 2 ** 30;
/** Offsets up to here stay exact when a segment's length, below 2^32, and the rounding to a page are added. */
const MAX_EXACT_BYTES = 2n ** 52n;

/**
 * Plans the first bytes of every memory that the module defines, in the order of their indices. Segments are applied in
 * order, later ones over earlier ones. Takes time in proportion to the segments and the images' bytes.
 *
 * @param parsed - from {@link parseModule}
 * @param hostPageSize - bytes of a page of the host, a power of two from 4,096 to 2^30
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` if `hostPageSize` is something else
 */
export function planImages(parsed: ParsedModule, hostPageSize: number): ImagePlan[] {
  checkPageSize(hostPageSize);
  const surveys = parsed.memories.map((memory) => new MemorySurvey(memory));
  for (const [segmentIndex, segment] of parsed.dataSegments.entries()) {
    if (segment.mode === 'active') surveys[segment.memoryIndex]?.add(segmentIndex, segment);
  }
  const budget = new ImageBudget();
  const plans: ImagePlan[] = [];
  for (const [memoryIndex, memory] of parsed.memories.entries()) {
    const survey = surveys[memoryIndex];
    if (memory.kind !== 'defined' || survey === undefined) continue;
    plans.push({ memoryIndex, definedIndex: plans.length, ...planMemory(survey, hostPageSize, budget) });
  }
  return plans;
}

type Initialisation<Kind extends ImagePlan['kind'] = ImagePlan['kind']> = Kind extends unknown
  ? Omit<Extract<ImagePlan, { kind: Kind }>, keyof PlannedMemory>
  : never;

function planMemory(survey: MemorySurvey, pageBytes: number, budget: ImageBudget): Initialisation {
  if (survey.outOfBounds !== undefined) return survey.outOfBounds;
  if (survey.unsupported !== undefined) return survey.unsupported;
  const { segments, initialBytes } = survey;
  if (segments.length === 0) return { kind: 'none' };
  const extent = measure(segments, pageBytes);
  if (BigInt(extent.end) > initialBytes) return { kind: 'segments', reason: 'partial page', segments };
  if (!budget.take(extent.end - extent.start, extent.dataBytes))
    return { kind: 'segments', reason: 'sparse', segments };
  return { kind: 'image', offsetBytes: extent.start, bytes: draw(segments, extent) };
}

/** What the segments of one memory are, gathered in one pass over the module: there may be 100,000. */
class MemorySurvey {
  readonly initialBytes: bigint;
  /** The segments that write anything. */
  readonly segments: PlannedSegment[] = [];
  outOfBounds: Initialisation<'out-of-bounds'> | undefined;
  unsupported: Initialisation<'unsupported'> | undefined;
  /** The initial size where a number holds it exactly: a sum of bigints is made on the heap, for every segment. */
  readonly #exactBytes: number | undefined;

  constructor(memory: MemoryType) {
    this.initialBytes = memory.minimumPages * BigInt(memory.pageSize);
    this.#exactBytes = this.initialBytes <= MAX_EXACT_BYTES ? Number(this.initialBytes) : undefined;
  }

  add(segmentIndex: number, { offset, data, byteLength }: ActiveSegment): void {
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
    } else if (byteLength > 0) {
      if (offset > MAX_EXACT_BYTES) {
        this.unsupported ??= { kind: 'unsupported', reason: 'offset too large', segmentIndex };
      }
      this.segments.push({ offset: offsetNumber, data });
    }
  }
}

interface Extent {
  /** Start of the first page that is written to. */
  readonly start: number;
  /** End of the last page that is written to. */
  readonly end: number;
  /** Sum of the segments' lengths. */
  readonly dataBytes: number;
}

function measure(segments: readonly PlannedSegment[], pageBytes: number): Extent {
  let first = Number.MAX_SAFE_INTEGER;
  let last = 0;
  let dataBytes = 0;
  for (const { offset, data } of segments) {
    first = Math.min(first, offset);
    last = Math.max(last, offset + data.length);
    dataBytes += data.length;
  }
  return { start: first - (first % pageBytes), end: Math.ceil(last / pageBytes) * pageBytes, dataBytes };
}

/** Below this many bytes a loop is faster than a call of `set`. Most of esbuild's segments are: 32 bytes on average. */
const SHORT_SEGMENT_BYTES = 64;

function draw(segments: readonly PlannedSegment[], extent: Extent): Uint8Array {
  const bytes = new Uint8Array(extent.end - extent.start);
  for (const { offset, data } of segments) {
    const start = offset - extent.start;
    if (data.length >= SHORT_SEGMENT_BYTES) bytes.set(data, start);
    else for (let index = 0; index < data.length; index++) bytes[start + index] = data[index] ?? 0;
  }
  return bytes;
}

function checkPageSize(hostPageSize: number): void {
  if (typeof hostPageSize !== 'number') {
    throw new InvalidTypeError(
      `Cannot plan images: hostPageSize must be a number, received ${typeof hostPageSize}`,
    );
  }
  const isPowerOfTwo = Number.isInteger(Math.log2(hostPageSize));
  if (!isPowerOfTwo || hostPageSize < MIN_HOST_PAGE_BYTES || hostPageSize > MAX_HOST_PAGE_BYTES) {
    throw new OutOfRangeError(
      `Cannot plan images: hostPageSize must be a power of two from ${MIN_HOST_PAGE_BYTES} to ${MAX_HOST_PAGE_BYTES} bytes, received ${hostPageSize}`,
    );
  }
}
