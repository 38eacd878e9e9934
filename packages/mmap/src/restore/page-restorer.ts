/** Putting a range of pages back to the bytes that it started with, again and again, at the cost of what was written. */

import {
  bytesOutOfRange,
  checkBoolean,
  checkByteRange,
  checkBytes,
  checkFunction,
  checkOneOf,
  invalidArgType,
  invalidArgValue,
  readOptions,
} from '@guardstripe/common';
import { checkVirtualMemory } from '../checks.js';
import { restorerClosed, type SystemError } from '../errors.js';
import type { PageRange } from '../operations/decommit-many.js';
import { platform } from '../platform/platform.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import { contentsOf, type Contents, type RestorerImage } from './contents.js';
import { Engine } from './engine.js';
import { Range, type RestorerRange } from './range.js';
import { RESTORE_STRATEGIES, type RestoreResult, type RestoreStrategy } from './strategies.js';

/** Options of {@link PageRestorer}. Sizes are bytes. */
export interface PageRestorerOptions {
  /**
   * What parts of the range start as, ascending and apart; the rest starts as zeros. A frozen list of frozen images is checked once,
   * however often it is given. Default none.
   */
  readonly images?: readonly RestorerImage[];
  /** Most bytes that one restore writes; what was written beyond them is dropped. Default no limit. */
  readonly maxWriteBackBytes?: number;
  /**
   * Most bytes of its own that the range may have in RAM after a restore; what is beyond is dropped. Where reads brought pages in while
   * the range was watched, by the restore after that; and of pages in swap nothing is known before they are in RAM again.
   * Default no limit.
   */
  readonly maxResidentBytes?: number;
  /** The ways that may be chosen; those that this system has not are left out. Default all. */
  readonly strategies?: readonly RestoreStrategy[];
  /** Whether the range holds its start bytes now, so that writes can be watched from here on. Default false. */
  readonly clean?: boolean;
  /** Told of each call that the system refused and that a restore then did without. */
  readonly onRefusal?: (error: SystemError) => void;
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

/** What {@link PageRestorer.discard} may say. */
export interface DiscardOptions {
  /** Whether pages may be given back. Default true. */
  readonly drop?: boolean;
}

/** What a change of a restorer may say. */
export interface RestorerChange {
  /** Whether the range holds its (new) start bytes now. Default false. */
  readonly clean?: boolean;
}

/** What {@link PageRestorer.setRange} may say. */
export interface RestorerRangeChange extends RestorerChange {
  /** What parts of the new range start as. Default: as before. */
  readonly images?: readonly RestorerImage[];
}

/**
 * Puts a range of pages back to what images and zeros make it. Nobody may write to the range during a restore.
 *
 * ```ts
 * import { Mmap, PageRestorer } from '@guardstripe/mmap';
 *
 * using map = Mmap.anonymous(1 << 20);
 * using restorer = new PageRestorer({ map });
 * new Uint8Array(map.view())[5000] = 1;
 * restorer.restore(); // one page is written, and reads zeros again
 * ```
 *
 * A restore allocates nothing. It chooses its way by what the last ones found, and goes on with another way where the
 * system refuses one. Pages of a map under watch keep the map where it is: it cannot be resized until {@link
 * PageRestorer.unwatch}.
 */
export class PageRestorer implements Disposable {
  readonly #virtualMemory: VirtualMemory;
  readonly #engine: Engine;
  #closed = false;

  /**
   * @throws `TypeError` and `RangeError` for arguments that are out of line; `ERR_INVALID_ARG_VALUE` if this system has
   *   none of the
   * `strategies`.
   * @throws {@link MmapClosedError} for a closed map.
   */
  constructor(range: RestorerRange, options: PageRestorerOptions = {}) {
    const {
      virtualMemory = platform(),
      images = [],
      strategies = RESTORE_STRATEGIES,
      clean = false,
      onRefusal = () => undefined,
      maxWriteBackBytes,
      maxResidentBytes,
    } = readOptions(options, OPTIONS);
    checkVirtualMemory(virtualMemory);
    checkBoolean(clean, 'options.clean');
    checkFunction(onRefusal, 'options.onRefusal');
    const checkedRange = new Range(range, virtualMemory.pageSize);
    const contents = fitting(contentsOf(images, virtualMemory), checkedRange);
    const allowed = allowedOf(strategies, virtualMemory);
    this.#virtualMemory = virtualMemory;
    this.#engine = new Engine(checkedRange, contents, { virtualMemory, allowed, onRefusal });
    this.setLimits(maxWriteBackBytes ?? Infinity, maxResidentBytes ?? Infinity);
    if (clean) this.#engine.watchIfCheap();
  }

  /** Whether this system has what a way needs. */
  static isSupported(strategy: RestoreStrategy, virtualMemory: VirtualMemory = platform()): boolean {
    checkOneOf(strategy, 'strategy', RESTORE_STRATEGIES);
    if (strategy === 'scan') return virtualMemory.canScanDirtyPages;
    return strategy !== 'watch' || (virtualMemory.canScanDirtyPages && virtualMemory.canWatchWrites);
  }

  /** Whether the kernel notes writes to the range at the moment. */
  get watching(): boolean {
    return this.#engine.watch.active;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Puts the range back. The result is the same object each time.
   *
   * @throws {@link SystemError} if no way was open. The range is then as after {@link PageRestorer.writeBack}, and
   *   another restore may succeed.
   * @throws `Error` `ERR_RESTORER_CLOSED` after `close()`; `ERR_RESTORER_IMAGE_DETACHED` if the bytes of an image are
   *   gone that is not mapped.
   * @throws {@link MmapClosedError} if the map was closed.
   */
  restore(): RestoreResult {
    const engine = this.#open();
    engine.writeBack();
    engine.target.dropLeft();
    return engine.target.result;
  }

  /**
   * {@link PageRestorer.restore} without its last step: where pages are left to drop, the result says which, and dropping
   * them is up to the caller, who may do so for many ranges at once ({@link Mmap.decommitMany}). Until then the range is
   * not restored.
   */
  writeBack(): RestoreResult {
    if (this.#closed) throw restorerClosed();
    const engine = this.#engine;
    engine.writeBack();
    return engine.target.result;
  }

  /**
   * Drops all pages, whatever was written, and writes the images that dropping does not bring back. Throws as {@link
   * PageRestorer.restore}.
   */
  dropAll(): RestoreResult {
    const engine = this.#open();
    engine.dropAll();
    return engine.target.result;
  }

  /**
   * Puts a part of the range back, in bytes of any alignment, and gives whole pages of it back to the system, 16 or more at once: fewer
   * are written, for a call and new faults would cost more than they free. Images that only copying brings back are written.
   *
   * @param options - `drop: false` writes everything
   * @returns bytes that were given back
   * @throws `TypeError` or `RangeError` for what is no part of the range; else as {@link PageRestorer.restore}
   */
  discard(offset: number, byteLength: number, options?: DiscardOptions): number {
    const { drop = true } = readOptions(options, ['drop']);
    checkBoolean(drop, 'options.drop');
    const engine = this.#open();
    checkByteRange(offset, byteLength, engine.target.range.byteLength);
    return engine.discard(offset, byteLength, drop);
  }

  /**
   * The pages that may differ from the start, as runs, ascending, with neighbours joined; offsets of the range. Exact
   * while writes are watched. Else pages count that hold bytes of their own, also if those were put back since; and
   * everything, where nothing can be found out.
   */
  changedRanges(): PageRange[] {
    const ranges: { offset: number; byteLength: number }[] = [];
    this.#open().eachChanged((start, end) => {
      const last = ranges.at(-1);
      if (last !== undefined && last.offset + last.byteLength === start) last.byteLength += end - start;
      else ranges.push({ offset: start, byteLength: end - start });
    });
    return ranges;
  }

  /** Bytes of the pages of {@link PageRestorer.changedRanges}. */
  changedBytes(): number {
    let bytes = 0;
    this.#open().eachChanged((start, end) => {
      bytes += end - start;
    });
    return bytes;
  }

  /** Other start bytes for the same pages. */
  setImages(images: readonly RestorerImage[], options?: RestorerChange): void {
    const { clean = false } = readOptions(options, ['clean']);
    const engine = this.#open();
    checkBoolean(clean, 'options.clean');
    const { range } = engine.target;
    const contents = fitting(contentsOf(images, this.#virtualMemory), range);
    if (clean) engine.rebase(contents);
    else engine.retarget(range, contents);
  }

  /** Other pages, since the range moved, grew or shrank; and other start bytes, if `images` are given. */
  setRange(range: RestorerRange, options?: RestorerRangeChange): void {
    const { clean = false, images } = readOptions(options, ['clean', 'images']);
    const engine = this.#open();
    checkBoolean(clean, 'options.clean');
    const next = new Range(range, this.#virtualMemory.pageSize);
    const contents = images === undefined ? engine.target.contents : contentsOf(images, this.#virtualMemory);
    engine.retarget(next, fitting(contents, next));
    if (clean) engine.watchIfCheap();
  }

  /** Other limits, in bytes, from the next restore on; `Infinity` for none. */
  setLimits(maxWriteBackBytes: number, maxResidentBytes: number): void {
    const engine = this.#open();
    const writeBackBytes = wholePages('maxWriteBackBytes', maxWriteBackBytes, this.#virtualMemory.pageSize);
    const residentBytes = wholePages('maxResidentBytes', maxResidentBytes, this.#virtualMemory.pageSize);
    engine.setLimits(writeBackBytes, residentBytes);
  }

  /** Stops watching writes until it pays again. */
  unwatch(): void {
    this.#open().watch.end();
  }

  /** Lets go of the range, whose bytes stay as they are. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#engine.watch.end();
    this.#closed = true;
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Engine {
    if (this.#closed) throw restorerClosed();
    return this.#engine;
  }
}

const OPTIONS = [
  'virtualMemory',
  'images',
  'strategies',
  'clean',
  'onRefusal',
  'maxWriteBackBytes',
  'maxResidentBytes',
] as const;

const STRATEGY_RULE = RESTORE_STRATEGIES.map((strategy) => `'${strategy}'`).join(', ');

function allowedOf(
  strategies: readonly RestoreStrategy[],
  virtualMemory: VirtualMemory,
): Set<RestoreStrategy> {
  if (!Array.isArray(strategies))
    throw invalidArgType('options.strategies', 'an instance of Array', strategies);
  for (const strategy of strategies as readonly unknown[]) {
    if (!RESTORE_STRATEGIES.includes(strategy as RestoreStrategy)) {
      throw invalidArgValue('options.strategies', `must be an array of ${STRATEGY_RULE}`, strategies);
    }
  }
  const allowed = new Set<RestoreStrategy>(strategies);
  // Whether writes can be watched is asked late: it takes a descriptor.
  const isUsable = (strategy: RestoreStrategy) =>
    strategy === 'watch' && allowed.size > 1
      ? virtualMemory.canScanDirtyPages
      : PageRestorer.isSupported(strategy, virtualMemory);
  const usable = new Set([...allowed].filter(isUsable));
  if (usable.size === 0)
    throw invalidArgValue('options.strategies', 'must be ways that this system has', strategies);
  return usable;
}

function fitting(contents: Contents, range: Range): Contents {
  if (contents.end > range.byteLength) {
    throw bytesOutOfRange(
      'options.images',
      `inside of the range, which has ${range.byteLength} bytes`,
      contents.end,
    );
  }
  return contents;
}

function wholePages(name: string, bytes: number, pageSize: number): number {
  if (bytes === Infinity) return bytes;
  checkBytes(bytes, name);
  return Math.floor(bytes / pageSize) * pageSize;
}
