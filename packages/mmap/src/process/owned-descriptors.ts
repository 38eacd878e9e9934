/** A thread's descriptors in its ledger. The rule of `owned-mappings.ts` holds: nothing between a call and the line that notes it. */

import type { VirtualMemory } from '../platform/virtual-memory.js';
import { createMemoryFile, fillAndSeal } from '../platform/linux/files/memory-file.js';
import { sealLength } from '../platform/linux/files/shared-file.js';
import { KIND_DESCRIPTOR, NOWHERE, WHAT, type Ledger } from './ledger.js';

type Descriptors = Pick<
  VirtualMemory,
  'createImage' | 'createSharedFile' | 'reopenFile' | 'duplicateFile' | 'closeFile'
>;

/** The calls that open and close. */
export function ownedDescriptors(system: VirtualMemory, ledger: Ledger): Descriptors {
  const { values } = ledger;
  /** Entries by descriptor. */
  const entries = new Map<number, number>();

  const open = (call: () => number): number => {
    const entry = ledger.claim(KIND_DESCRIPTOR);
    let fd = -1;
    try {
      fd = call();
      values[entry + WHAT] = fd + 1;
    } finally {
      if (fd === -1) ledger.release(entry);
    }
    if (entry !== NOWHERE) entries.set(fd, entry);
    return fd;
  };
  const closeFile = (fd: number): void => {
    const entry = entries.get(fd) ?? NOWHERE;
    entries.delete(fd);
    try {
      system.closeFile(fd);
    } finally {
      // Also after an error: close(2) frees the number all the same.
      values[entry + WHAT] = 0;
      ledger.release(entry);
    }
  };

  /** In two: what is done with the file takes time, and the descriptor must be written down meanwhile. */
  const create = (name: string, make: (fd: number) => void): number => {
    const fd = open(() => createMemoryFile(name));
    try {
      make(fd);
      return fd;
    } catch (error) {
      closeFile(fd);
      throw error;
    }
  };

  return {
    createImage: (source, name) => create(name, (fd) => fillAndSeal(fd, source, name, system.pageSize)),
    createSharedFile: (byteLength, name) => create(name, (fd) => sealLength(fd, byteLength)),
    reopenFile: (pid, fd, forWriting) => open(() => system.reopenFile(pid, fd, forWriting)),
    duplicateFile: (fd) => open(() => system.duplicateFile(fd)),
    closeFile,
  };
}
