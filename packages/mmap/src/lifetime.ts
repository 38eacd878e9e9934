/** How long mapped pages live, and who gives them back where nobody closed their map. */

import { hex, size } from '@guardstripe/common';
import { watchForLeak } from './leak-net.js';
import type { JointHold } from './process/joint/things.js';
import type { VirtualMemory } from './platform/virtual-memory.js';
import { abandon, giveBack, retire, withhold, type Reach } from './views/withheld.js';

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
  /** The thread's attachment to pages that others may hold, too. */
  readonly hold?: JointHold | undefined;
}

/** Gives the pages back; of those that several threads hold, only this thread's attachment. @throws `SystemError` */
export function giveBackPages(resources: Resources): void {
  const { virtualMemory, mapAddress, mapBytes, reach, hold } = resources;
  // An empty file, or given back before.
  if (mapBytes === 0) return;
  if (hold === undefined) giveBack(virtualMemory, mapAddress, mapBytes, reach);
  else if (reach.isFree) hold.leave();
  // As long as somebody in this thread may reach the pages, the thread stays attached.
  else {
    if (reach.isStolen) hold.keepForGood();
    withhold(leaving(hold), mapAddress, mapBytes, reach);
  }
  // By the very next statement: whoever is cut short behind it, by `vm`'s timeout, must not unmap what may be somebody else's by then.
  resources.mapBytes = 0;
}

const leaving = (hold: JointHold) => ({ unmap: () => hold.leave() });

/** For pages that nobody closed. Their views died with them: whether one of them was stolen, nobody has seen. */
function giveBackLeaked(resources: Resources): void {
  const { virtualMemory, mapAddress, mapBytes, isExposed, hold } = resources;
  if (!isExposed || mapBytes === 0) giveBackPages(resources);
  else if (hold === undefined) abandon(virtualMemory, mapAddress, mapBytes);
  else {
    hold.keepForGood();
    retire(leaving(hold), mapAddress, mapBytes);
  }
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
    const what = () => {
      const { mapAddress, mapBytes } = resources;
      return mapBytes === 0 ? undefined : `Mmap of ${size(mapBytes)} at ${hex(mapAddress)}`;
    };
    watchForLeak(this, what, () => {
      giveBackLeaked(resources);
      closeFile(resources);
    });
  }
}
