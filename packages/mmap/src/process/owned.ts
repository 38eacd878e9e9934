/**
 * Writes down in a worker's ledger what its calls take from the process, and strikes it out when they give it back.
 *
 * Nothing stands between a call into C and the statement that notes its outcome, here and in what is called here: no call, not
 * even of a built-in function, and no loop; so no place where the thread could be stopped.
 */

import type { VirtualMemory } from '../platform/virtual-memory.js';
import { createMemoryFile, fillAndSeal } from '../platform/linux/memory-file.js';
import { HOW_MUCH, KIND_DESCRIPTOR, KIND_MAPPING, NOWHERE, WHAT, type Ledger } from './ledger.js';

type Mappings = Pick<VirtualMemory, 'reserve' | 'mapFile' | 'mapHugePages' | 'unmap' | 'resize'>;
type Descriptors = Pick<VirtualMemory, 'createImage' | 'duplicateFile' | 'closeFile'>;

/** The same primitives, with what they take written down. */
export function owned(system: VirtualMemory, ledger: Ledger): VirtualMemory {
  const fresh = Object.create(system) as VirtualMemory;
  return Object.assign(fresh, ownedMappings(system, ledger), ownedDescriptors(system, ledger));
}

function ownedMappings(system: VirtualMemory, ledger: Ledger): Mappings {
  const { values } = ledger;
  /** Entries by address. */
  const entries = new Map<number, number>();

  const take = (byteLength: number, map: () => number): number => {
    const entry = ledger.claim(KIND_MAPPING, byteLength);
    let address = 0;
    try {
      address = map();
      values[entry + WHAT] = address;
    } finally {
      if (address === 0) ledger.release(entry);
    }
    if (entry !== NOWHERE) entries.set(address, entry);
    return address;
  };

  return {
    reserve: (byteLength) => take(byteLength, () => system.reserve(byteLength)),
    mapHugePages: (byteLength, hugePageBytes) =>
      take(byteLength, () => system.mapHugePages(byteLength, hugePageBytes)),
    mapFile(fd, fileOffset, address, byteLength, access, sharing) {
      // At an address of the caller's choice it replaces what is the caller's already.
      if (address !== 0) return system.mapFile(fd, fileOffset, address, byteLength, access, sharing);
      return take(byteLength, () => system.mapFile(fd, fileOffset, 0, byteLength, access, sharing));
    },
    unmap(address, byteLength) {
      const entry = entries.get(address);
      if (entry === undefined) {
        system.unmap(address, byteLength);
        return;
      }
      const rest = values[entry + HOW_MUCH]! - byteLength;
      system.unmap(address, byteLength);
      values[entry + WHAT] = rest > 0 ? address + byteLength : 0;
      values[entry + HOW_MUCH] = rest;
      entries.delete(address);
      if (rest > 0) entries.set(address + byteLength, entry);
      else ledger.release(entry);
    },
    resize(address, byteLength, newByteLength) {
      const entry = entries.get(address) ?? NOWHERE;
      const newAddress = system.resize(address, byteLength, newByteLength);
      values[entry + WHAT] = newAddress;
      values[entry + HOW_MUCH] = newByteLength;
      entries.delete(address);
      if (entry !== NOWHERE) entries.set(newAddress, entry);
      return newAddress;
    },
  };
}

function ownedDescriptors(system: VirtualMemory, ledger: Ledger): Descriptors {
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

  return {
    createImage(bytes, name) {
      // In two: writing takes long, and the descriptor must be written down meanwhile.
      const fd = open(() => createMemoryFile(name));
      try {
        fillAndSeal(fd, bytes, name, system.pageSize);
        return fd;
      } catch (error) {
        closeFile(fd);
        throw error;
      }
    },
    duplicateFile: (fd) => open(() => system.duplicateFile(fd)),
    closeFile,
  };
}
