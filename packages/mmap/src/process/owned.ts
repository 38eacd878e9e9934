/** Writes down in a worker's ledger what its calls take from the process, and strikes it out when they give it back. */

import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { Ledger } from './ledger.js';
import { ownedDescriptors } from './owned-descriptors.js';
import { OwnedRanges, ownedMappings } from './owned-mappings.js';

const rangesOf = new WeakMap<VirtualMemory, OwnedRanges>();

/** The same primitives, with what they take written down. */
export function owned(system: VirtualMemory, ledger: Ledger): VirtualMemory {
  const ranges = new OwnedRanges(ledger);
  const fresh = Object.create(system) as VirtualMemory;
  Object.assign(fresh, ownedMappings(system, ranges), ownedDescriptors(system, ledger));
  rangesOf.set(fresh, ranges);
  return fresh;
}

/** Addresses are never to be anybody's again: nor are they given back when the thread ends. */
export function keepForGood(virtualMemory: VirtualMemory, address: number, byteLength: number): void {
  rangesOf.get(virtualMemory)?.giveUp(address, byteLength, () => undefined);
}
