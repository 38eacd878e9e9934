/** What restoring needs of Linux: walks over page tables, write protection, and moving bytes by address. */

import { SystemError } from '../../errors.js';
import { pageRuns } from '../page-runs.js';
import type { VirtualMemory } from '../virtual-memory.js';
import type { WithPage } from './bulk.js';
import { moves, type MovePrimitives } from './moves.js';
import { pageWalks, type PageWalks } from './page-walk.js';
import { writeWatch, type WriteWatch } from './write-watch.js';

/** What the kernel answers to an `ioctl` that it does not know. */
const ENOTTY = 25;

/** The primitives of this file. */
export type RestorePrimitives = MovePrimitives &
  Pick<
    VirtualMemory,
    | 'scanPages'
    | 'scanOwnPages'
    | 'scanResident'
    | 'watchWrites'
    | 'unwatchWrites'
    | 'scanWrittenPages'
    | 'scanUnwrittenPages'
    | 'protectWrittenPages'
  >;

/** All of them. Functions are declared, and descriptors opened, at their first use. */
export function restorePrimitives(
  withPage: WithPage,
): RestorePrimitives & { readonly canWatch: () => boolean } {
  let declaredWalks: PageWalks | undefined;
  // `null`: tried, and refused.
  let openedWatch: WriteWatch | null | undefined;
  const walks = () => (declaredWalks ??= pageWalks());
  const watcher = () => (openedWatch ??= tryToWatch(walks(), withPage));
  const watching = (address: number, byteLength: number) => {
    const watch = watcher();
    if (watch === null) throw new SystemError(ENOTTY, { syscall: 'ioctl(userfaultfd)', address, byteLength });
    return watch;
  };
  return {
    scanPages: (address, byteLength, into) =>
      (declaredWalks ??= pageWalks()).present(address, byteLength, into),
    scanOwnPages: (address, byteLength, into) => walks().presentOwn(address, byteLength, into),
    scanResident: (address, byteLength, into) => walks().resident(address, byteLength, into),
    canWatch: () => watcher() !== null,
    watchWrites: (address, byteLength) => watching(address, byteLength).watch(address, byteLength),
    unwatchWrites: (address, byteLength) => watching(address, byteLength).unwatch(address, byteLength),
    scanWrittenPages: (address, byteLength, into) => walks().written(address, byteLength, into),
    scanUnwrittenPages: (address, byteLength, into) => walks().unwritten(address, byteLength, into),
    protectWrittenPages: (address, byteLength) => walks().protect(address, byteLength),
    ...moves(),
  };
}

/** Opens a descriptor and sees on a page of its own whether a write is noticed, and nothing else is. */
function tryToWatch(walks: PageWalks, withPage: WithPage): WriteWatch | null {
  try {
    const watch = writeWatch();
    const { fillZeros } = moves();
    const noticed = withPage((address, byteLength) => {
      const runs = pageRuns(1);
      const written = () => {
        walks.written(address, byteLength, runs);
        return runs.count;
      };
      watch.watch(address, byteLength);
      const before = written();
      fillZeros(address, byteLength);
      const after = written();
      walks.protect(address, byteLength);
      const again = written();
      watch.unwatch(address, byteLength);
      return before === 0 && after === 1 && again === 0;
    });
    return noticed ? watch : null;
  } catch {
    return null;
  }
}
