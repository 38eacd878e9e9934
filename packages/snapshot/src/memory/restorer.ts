/** The engine of `@guardstripe/mmap` on a range of V8's. */
import { PageRestorer, type RestoreStrategy, type VirtualMemory } from '@guardstripe/mmap';

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

/**
 * Begins to watch a range that holds exactly the saved bytes. Nothing where this process cannot: the kernel is too old, a sandbox
 * refuses, descriptors or memory have run out.
 */
export function startRestorer(
  range: Range,
  saved: SavedMemory,
  { method, isLaid, virtualMemory }: RestorerSettings,
): PageRestorer | undefined {
  const strategies = STRATEGIES[method];
  const images = saved.runs.map(({ offset, bytes, isMapped }) => ({
    offset,
    bytes,
    mapped: isLaid && isMapped,
  }));
  try {
    if (!PageRestorer.isSupported(strategies[0]!, virtualMemory)) return undefined;
    const restorer = new PageRestorer(
      { address: range.address, byteLength: range.bytes.byteLength },
      {
        images,
        strategies,
        clean: true,
        virtualMemory,
        maxWriteBackBytes: saved.bytes.byteLength + ZEROED_BYTES,
      },
    );
    // Another thread may watch a shared memory already, and the kernel lets one do so at a time.
    return method === 'laid' || restorer.watching ? restorer : undefined;
  } catch {
    return undefined;
  }
}
