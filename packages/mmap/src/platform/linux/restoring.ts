/** What restoring needs of Linux: walks over page tables, write protection, and moving bytes by address. */

import { SystemError } from '../../errors.js';
import { pageRuns } from '../page-runs.js';
import type { VirtualMemory } from '../virtual-memory.js';
import type { WithPage } from './bulk.js';
import { lazily } from './lazily.js';
import { pageWalks, type PageWalks } from './page-walk.js';
import { writeWatch, type WriteWatch } from './write-watch.js';

/** What the kernel answers to an `ioctl` that it does not know. */
const ENOTTY = 25;

/** The primitives of this file. */
export type RestorePrimitives = Pick<
  VirtualMemory,
  | 'scanPages'
  | 'scanResident'
  | 'watchWrites'
  | 'unwatchWrites'
  | 'scanWrittenPages'
  | 'protectWrittenPages'
  | 'copyBytes'
  | 'fillZeros'
  | 'sameBytes'
>;

type MoveBytes = (to: number, from: number, byteLength: number) => void;
type CompareBytes = (a: number, b: number, byteLength: number) => number;

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
    scanResident: (address, byteLength, into) => walks().resident(address, byteLength, into),
    canWatch: () => watcher() !== null,
    watchWrites: (address, byteLength) => watching(address, byteLength).watch(address, byteLength),
    unwatchWrites: (address, byteLength) => watching(address, byteLength).unwatch(address, byteLength),
    scanWrittenPages: (address, byteLength, into) => walks().written(address, byteLength, into),
    protectWrittenPages: (address, byteLength) => walks().protect(address, byteLength),
    ...moves(),
  };
}

function moves(): Pick<RestorePrimitives, 'copyBytes' | 'fillZeros' | 'sameBytes'> {
  const memcpy = lazily<MoveBytes>('void memcpy(uintptr_t to, uintptr_t from, size_t length)');
  const memset = lazily<MoveBytes>('void memset(uintptr_t to, int value, size_t length)');
  const memcmp = lazily<CompareBytes>('int memcmp(uintptr_t a, uintptr_t b, size_t length)');
  // Without another call in between, for there is one of these for each page.
  let copy: MoveBytes | undefined;
  let fill: MoveBytes | undefined;
  let compare: CompareBytes | undefined;
  return {
    copyBytes: (from, to, byteLength) => (copy ??= memcpy())(to, from, byteLength),
    fillZeros: (address, byteLength) => (fill ??= memset())(address, 0, byteLength),
    sameBytes: (a, b, byteLength) => (compare ??= memcmp())(a, b, byteLength) === 0,
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
