/** The engine of `@guardstripe/mmap` on a range of V8's. */
import {
  PageRestorer,
  type RestorerImage,
  type RestoreStrategy,
  type VirtualMemory,
} from '@guardstripe/mmap';

import type { Range } from './lay.js';
import type { SavedMemory } from './saved-memory.js';

export interface RestorerSettings {
  readonly method: 'written' | 'laid';
  /** Whether the saved bytes are mapped over the range, so that dropping its pages brings them back. */
  readonly isLaid: boolean;
  readonly virtualMemory: VirtualMemory;
}

/**
 * A restore that has more than this to turn into zeros drops pages instead: they take no memory then, and whoever needs them again pays
 * a page fault for each.
 */
const ZEROED_BYTES = 16 * 2 ** 20;

const STRATEGIES: Readonly<Record<'written' | 'laid', readonly RestoreStrategy[]>> = {
  written: ['watch'],
  // Watching is for ranges whose users read and write again and again: the engine finds out.
  laid: ['scan', 'drop', 'watch'],
};

/** Whether the kernel has what a way needs. */
export function canWatch(method: 'written' | 'laid', virtualMemory: VirtualMemory): boolean {
  return PageRestorer.isSupported(STRATEGIES[method][0]!, virtualMemory);
}

/**
 * Begins to watch a range: one that holds exactly the saved bytes, or one that they were laid over. Nothing where this process
 * cannot: the kernel is too old, a sandbox refuses, descriptors or memory have run out.
 */
export function startRestorer(
  range: Range,
  saved: SavedMemory,
  { method, isLaid, virtualMemory }: RestorerSettings,
): PageRestorer | undefined {
  try {
    if (!canWatch(method, virtualMemory)) return undefined;
    const restorer = new PageRestorer(
      { address: range.address, byteLength: range.bytes.byteLength },
      {
        images: imagesOf(saved, isLaid),
        strategies: STRATEGIES[method],
        // Pages that were written since are found by a scan where the rest is laid.
        clean: method === 'written',
        virtualMemory,
        maxWriteBackBytes: maxBytes(saved),
      },
    );
    // Another thread may watch a shared memory already, and the kernel lets one do so at a time.
    return method === 'laid' || restorer.watching ? restorer : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Goes on watching plain pages that hold exactly other saved bytes by now.
 *
 * @returns false if the system refused; nothing is watched then
 */
export function rewatch(restorer: PageRestorer, saved: SavedMemory): boolean {
  restorer.setImages(imagesOf(saved, false), { clean: true });
  restorer.setLimits(maxBytes(saved), Infinity);
  return restorer.watching;
}

function imagesOf(saved: SavedMemory, isLaid: boolean): RestorerImage[] {
  return saved.runs.map(({ offset, bytes, isMapped }) => ({ offset, bytes, mapped: isLaid && isMapped }));
}

function maxBytes(saved: SavedMemory): number {
  return saved.bytes.byteLength + ZEROED_BYTES;
}
