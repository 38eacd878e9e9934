/** Write-back, hints and locks: checked ranges handed to the system, and their twins on other threads. */

import { checkBoolean, readOptions } from '@guardstripe/common';
import { checkAdvice, type Advice } from './advice.js';
import type { Mapping } from '../mapping.js';

/** Options of {@link Mmap.lock}. */
export interface LockOptions {
  /** Lock each page when it is touched first, instead of bringing all of them in now (Linux 4.4). Default false. */
  readonly onFault?: boolean;
}

export function sync(mapping: Mapping, offset?: number, byteLength?: number): void {
  const pages = mapping.pagesAround(offset, byteLength);
  if (pages.byteLength !== 0) mapping.virtualMemory.sync(pages.start, pages.byteLength);
}

export async function syncAsync(mapping: Mapping, offset?: number, byteLength?: number): Promise<void> {
  const pages = mapping.pagesAround(offset, byteLength);
  if (pages.byteLength === 0) return;
  await mapping.holdDuring(async () => mapping.virtualMemory.syncAsync(pages.start, pages.byteLength));
}

export function advise(mapping: Mapping, offset: number, byteLength: number, advice: Advice): void {
  const start = mapping.startOf(offset, byteLength);
  checkAdvice(advice);
  if (byteLength !== 0)
    mapping.virtualMemory.advise(start, mapping.endOf(offset, byteLength) - start, advice);
}

export async function adviseAsync(
  mapping: Mapping,
  offset: number,
  byteLength: number,
  advice: Advice,
): Promise<void> {
  const start = mapping.startOf(offset, byteLength);
  checkAdvice(advice);
  if (byteLength === 0) return;
  const pagesBytes = mapping.endOf(offset, byteLength) - start;
  await mapping.holdDuring(async () => mapping.virtualMemory.adviseAsync(start, pagesBytes, advice));
}

export function lock(mapping: Mapping, offset: number, byteLength: number, options: LockOptions): void {
  // Options first: reading them may run the caller's code, which may close the map.
  const { onFault = false } = readOptions(options, ['onFault']);
  checkBoolean(onFault, 'options.onFault');
  const start = mapping.startOf(offset, byteLength);
  if (byteLength === 0) return;
  const pagesBytes = mapping.endOf(offset, byteLength) - start;
  const { locked, mapAddress, virtualMemory } = mapping;
  const from = start - mapAddress;
  try {
    virtualMemory.lock(start, pagesBytes, onFault);
  } catch (error) {
    // The kernel may have locked a part, and locked pages refuse to be dropped later: all or nothing, but for older locks.
    for (const gap of locked.gaps(from, from + pagesBytes)) {
      try {
        virtualMemory.unlock(mapAddress + gap.start, gap.end - gap.start);
      } catch {
        // The first refusal is the one that explains.
      }
    }
    throw error;
  }
  locked.add(from, from + pagesBytes);
}

export function unlock(mapping: Mapping, offset: number, byteLength: number): void {
  const start = mapping.startOf(offset, byteLength);
  if (byteLength === 0) return;
  const end = mapping.endOf(offset, byteLength);
  mapping.virtualMemory.unlock(start, end - start);
  mapping.locked.delete(start - mapping.mapAddress, end - mapping.mapAddress);
}
