/**
 * How each memory of a module gets its first bytes: as an image, which a slot maps copy-on-write, or segment by segment. The
 * images of all memories lie one behind another, as they will in one memory file.
 *
 * ```
 *  memory  0 ............ segment A ..... segment B ... segment C ............ initial size
 *  pages   |         |         |         |         |         |         |         |
 *  image             [000AAAAAAAAA000BBBBBBBBB000CCCCC0000000)
 *                    offsetBytes                             offsetBytes + byteLength
 *
 *  contents  [ image of memory 0 ][ image of memory 2 ][ ... )
 *                                 contentsOffset
 * ```
 */
import { checkPageSize } from '@guardstripe/common';
import { PoolCorruptedError } from '../../errors.js';
import { ImageBudget } from './budget.js';
import { checkLimit, resolveLimits, type ModuleLimits } from '../limits.js';
import {
  surveyMemories,
  type MemorySurvey,
  type OutOfBounds,
  type PlacedSegment,
  type Unsupported,
} from './survey.js';
import type { ParsedModule } from '../types.js';

/** Bytes to be written at each allocation, where no image can be mapped. */
export interface InitialBytes {
  /** Bytes from the memory's start. */
  readonly offset: number;
  /** Never empty. */
  readonly data: Uint8Array;
}

/** How one memory gets its first bytes. All other bytes are zero. */
export type ImagePlan =
  | /** The memory is given to the module, bytes and all. */ { readonly kind: 'imported' }
  | /** Nothing is written: zeros only. */ { readonly kind: 'none' }
  | {
      /** One image, of whole host pages, inside the initial size. */
      readonly kind: 'image';
      /** Where it starts in the memory; a multiple of the host's page. */
      readonly offsetBytes: number;
      /** A multiple of the host's page. */
      readonly byteLength: number;
      /** Where it starts in {@link ImagePlans.contents}; a multiple of the host's page. */
      readonly contentsOffset: number;
    }
  | {
      /** The segments are written one by one, in this order, at each allocation. */
      readonly kind: 'segments';
      /**
       * `sparse`: an image would be mostly zeros. `partial page`: the initial size ends inside a host page
       * that the image would need, as it can with custom page sizes.
       */
      readonly reason: 'sparse' | 'partial page';
      readonly segments: readonly InitialBytes[];
    }
  | Unsupported
  | OutOfBounds;

/** The plans of a module's memories. Nothing in them refers to the module's bytes. */
export interface ImagePlans {
  /** By the memory's index. */
  readonly plans: readonly ImagePlan[];
  /** The bytes of all images, one behind another. */
  readonly contents: Uint8Array<ArrayBuffer>;
}

/**
 * Plans the first bytes of every memory of a module. Segments are applied in order, later ones over earlier ones.
 * Takes time and memory in proportion to the segments, their bytes and the images' bytes.
 *
 * @param parsed - from {@link parseModule}
 * @param hostPageSize - bytes of a page of the host, a power of two from 4,096 to 2^30
 * @throws {@link ModuleLimitError} for images larger than `maxImageBytes` together, before any is made
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `RangeError` `ERR_OUT_OF_RANGE` if `hostPageSize` is something else
 */
export function planImages(
  parsed: ParsedModule,
  hostPageSize: number,
  limits: ModuleLimits = resolveLimits(),
): ImagePlans {
  checkPageSize(hostPageSize, 'hostPageSize');
  const surveys = surveyMemories(parsed);
  const budget = new ImageBudget();
  const copies = new Copies(parsed.bytes, surveys);
  const drawings: { readonly survey: MemorySurvey; readonly shift: number }[] = [];
  let imageBytes = 0;
  const plans = parsed.memories.map(({ imported }, memoryIndex): ImagePlan => {
    if (imported !== undefined) return { kind: 'imported' };
    const survey = surveys[memoryIndex];
    if (survey === undefined) return { kind: 'none' };
    const plan = planMemory(survey, hostPageSize, budget, copies, imageBytes);
    if (plan.kind === 'image') {
      drawings.push({ survey, shift: imageBytes - plan.offsetBytes });
      imageBytes += plan.byteLength;
    }
    return plan;
  });
  checkLimit(limits, 'maxImageBytes', imageBytes);
  const contents = new Uint8Array(imageBytes);
  for (const { survey, shift } of drawings) draw(survey.segments, parsed.bytes, contents, shift);
  return { plans, contents };
}

/** @param contentsOffset - where its image would start among the others */
function planMemory(
  survey: MemorySurvey,
  pageBytes: number,
  budget: ImageBudget,
  copies: Copies,
  contentsOffset: number,
): ImagePlan {
  if (survey.outOfBounds !== undefined) return survey.outOfBounds;
  if (survey.unsupported !== undefined) return survey.unsupported;
  if (survey.segments.length === 0) return { kind: 'none' };
  const start = survey.first - (survey.first % pageBytes);
  const end = Math.ceil(survey.last / pageBytes) * pageBytes;
  const copied = (reason: 'sparse' | 'partial page') =>
    ({ kind: 'segments', reason, segments: copies.of(survey) }) as const;
  if (BigInt(end) > survey.initialBytes) return copied('partial page');
  if (!budget.take(end - start, survey.dataBytes)) return copied('sparse');
  return { kind: 'image', offsetBytes: start, byteLength: end - start, contentsOffset };
}

/**
 * Segments with their bytes, in one buffer for all memories: the module's own bytes are not kept, and a buffer for each of
 * 100,000 memories costs more than what is in it.
 */
class Copies {
  readonly #source: Uint8Array;
  readonly #mostBytes: number;
  #kept: Uint8Array | undefined;
  #end = 0;

  constructor(source: Uint8Array, surveys: readonly (MemorySurvey | undefined)[]) {
    this.#source = source;
    this.#mostBytes = surveys.reduce((sum, survey) => sum + (survey?.dataBytes ?? 0), 0);
  }

  of({ segments }: MemorySurvey): InitialBytes[] {
    // Pages of it that stay empty, for memories that have images, take no memory.
    const kept = (this.#kept ??= new Uint8Array(this.#mostBytes));
    return segments.map(({ offset, start, byteLength }) => {
      const at = this.#end;
      copyBytes(this.#source, start, byteLength, kept, at);
      this.#end += byteLength;
      return { offset, data: kept.subarray(at, this.#end) };
    });
  }
}

/** Below this many bytes a loop is faster than a call of `set`. Most of esbuild's segments are: 32 bytes on average. */
const SHORT_SEGMENT_BYTES = 64;

/** Draws segments into `target`, each at its offset plus `shift`. */
function draw(
  segments: readonly PlacedSegment[],
  source: Uint8Array,
  target: Uint8Array,
  shift: number,
): void {
  for (const { offset, start, byteLength } of segments)
    copyBytes(source, start, byteLength, target, offset + shift);
}

/** @throws {@link PoolCorruptedError} rather than copy less, or zeros, without a word */
function copyBytes(
  source: Uint8Array,
  start: number,
  byteLength: number,
  target: Uint8Array,
  to: number,
): void {
  if (start + byteLength > source.byteLength)
    throw new PoolCorruptedError(`a segment of ${byteLength} bytes at ${start} is not in its module`);
  if (to < 0 || to + byteLength > target.byteLength)
    throw new PoolCorruptedError(`a segment of ${byteLength} bytes goes to ${to}, outside of its image`);
  if (byteLength >= SHORT_SEGMENT_BYTES) target.set(source.subarray(start, start + byteLength), to);
  else for (let index = 0; index < byteLength; index++) target[to + index] = source[start + index]!;
}
