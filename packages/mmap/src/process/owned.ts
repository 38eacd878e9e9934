/** Writes down in a worker's ledger what its calls take from the process, and strikes it out when they give it back. */

import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { Ledger } from './ledger.js';
import { ownedDescriptors } from './owned-descriptors.js';
import { OwnedRanges, ownedMappings } from './owned-mappings.js';

const rangesOf = new WeakMap<object, OwnedRanges>();
/** Those of the platform itself, which others may have wrapped. */
let ofThread: OwnedRanges | undefined;

/** The same primitives, with what they take written down. */
export function owned(system: VirtualMemory, ledger: Ledger): VirtualMemory {
  const ranges = new OwnedRanges(ledger);
  const fresh = Object.create(system) as VirtualMemory;
  Object.assign(fresh, ownedMappings(system, ranges), ownedDescriptors(system, ledger));
  rangesOf.set(fresh, ranges);
  ofThread ??= ranges;
  return fresh;
}

/**
 * Addresses become the process's: they are not given back when the thread ends. `note` says to whom they belong, by one statement, so
 * that they are at every instruction either in the thread's ledger or there.
 */
export function handToProcess(
  virtualMemory: VirtualMemory,
  address: number,
  byteLength: number,
  note: () => void,
): void {
  const ranges = rangesOf.get(virtualMemory) ?? ofThread;
  if (ranges === undefined) note();
  else ranges.giveUp(address, byteLength, note);
}

/** Addresses are never to be anybody's again: nor are they given back when the thread ends. */
export function keepForGood(virtualMemory: object, address: number, byteLength: number): void {
  rangesOf.get(virtualMemory)?.giveUp(address, byteLength, () => undefined);
}
