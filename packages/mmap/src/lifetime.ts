/** How long mapped pages live, and who gives them back where nobody closed their map. */

import { hex, size } from '@guardstripe/common';
import { watchForLeak } from './leak-net.js';
import type { VirtualMemory } from './platform/virtual-memory.js';
import { abandon, giveBack, type Reach } from './views/withheld.js';

/** What goes back to the system in the end. Knows nothing of its owner: the leak net holds it. */
export interface Resources {
  readonly virtualMemory: VirtualMemory;
  mapAddress: number;
  mapBytes: number;
  fd: number | undefined;
  /** Who may reach the range through views of before. */
  reach: Reach;
  /** Views are out, so that an alias of one may be. */
  isExposed: boolean;
}

/** For pages that nobody closed. Their views died with them: whether one of them was stolen, nobody has seen. */
function giveBackLeaked(resources: Resources): void {
  const { virtualMemory, mapAddress, mapBytes, reach, isExposed } = resources;
  // An empty file.
  if (mapBytes === 0) return;
  if (isExposed) abandon(virtualMemory, mapAddress, mapBytes);
  else giveBack(virtualMemory, mapAddress, mapBytes, reach);
}

export function closeFile(resources: Resources): void {
  const { fd } = resources;
  // Forgotten first: close(2) frees the number even when it reports an error.
  resources.fd = undefined;
  if (fd !== undefined) resources.virtualMemory.closeFile(fd);
}

/**
 * Stands for the mapped pages. The mapping holds it, and so does every view (through its ledger): it is collected when
 * the last of them is gone, and not before may the pages go.
 */
export class Lifetime {
  readonly resources: Resources;

  constructor(resources: Resources) {
    this.resources = resources;
    this.watch();
  }

  watch(): void {
    const { resources } = this;
    const what = `Mmap of ${size(resources.mapBytes)} at ${hex(resources.mapAddress)}`;
    watchForLeak(this, what, () => {
      giveBackLeaked(resources);
      closeFile(resources);
    });
  }
}
