/** Write-back, hints and locks: checked ranges handed to the system, and their twins on other threads. */

import { checkBoolean, readOptions } from '@guardstripe/common';
import { checkAdvice, type Advice } from './advice.js';
import type { Mapping } from '../mapping.js';

/** Options of {@link Mmap.lock}. */
export interface LockOptions {
  /** Lock each page when it is touched first, instead of bringing all of them in now (Linux 4.4). Default false. */
  readonly onFault?: boolean;
}

/** Whole pages, by address. */
interface PageRun {
  readonly start: number;
  readonly byteLength: number;
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

/** The pages that a hint is about: those that hold the bytes, unless it lets go of what they hold. */
function advised(mapping: Mapping, offset: number, byteLength: number, advice: Advice): PageRun {
  if (advice !== 'free') return mapping.pagesHolding(offset, byteLength, mapping.granuleBytes);
  const start = mapping.startOf(offset, byteLength);
  return { start, byteLength: byteLength === 0 ? 0 : mapping.endOf(offset, byteLength) - start };
}

export function advise(mapping: Mapping, offset: number, byteLength: number, advice: Advice): void {
  const pages = advised(mapping, offset, byteLength, advice);
  checkAdvice(advice);
  if (advice === 'mergeable') mapping.isMergeable = true;
  if (pages.byteLength !== 0) mapping.virtualMemory.advise(pages.start, pages.byteLength, advice);
}

export async function adviseAsync(
  mapping: Mapping,
  offset: number,
  byteLength: number,
  advice: Advice,
): Promise<void> {
  const pages = advised(mapping, offset, byteLength, advice);
  checkAdvice(advice);
  if (advice === 'mergeable') mapping.isMergeable = true;
  if (pages.byteLength === 0) return;
  await mapping.holdDuring(async () =>
    mapping.virtualMemory.adviseAsync(pages.start, pages.byteLength, advice),
  );
}

export function lock(
  mapping: Mapping,
  offset: number | undefined,
  byteLength: number | undefined,
  options: LockOptions,
): void {
  // Options first: reading them may run the caller's code, which may close the map.
  const { onFault = false } = readOptions(options, ['onFault']);
  checkBoolean(onFault, 'options.onFault');
  const pages = mapping.pagesAround(offset, byteLength, mapping.granuleBytes);
  if (pages.byteLength === 0) return;
  const { locked, mapAddress, virtualMemory } = mapping;
  const from = pages.start - mapAddress;
  const end = from + pages.byteLength;
  try {
    virtualMemory.lock(pages.start, pages.byteLength, onFault);
  } catch (error) {
    // The kernel may have locked a part, and locked pages refuse to be dropped later: all or nothing, but for older locks.
    for (const gap of locked.gaps(from, end)) {
      try {
        virtualMemory.unlock(mapAddress + gap.start, gap.end - gap.start);
      } catch {
        // The first refusal is the one that explains.
      }
    }
    throw error;
  }
  locked.add(from, end);
}

export function unlock(mapping: Mapping, offset: number | undefined, byteLength: number | undefined): void {
  const pages = mapping.pagesAround(offset, byteLength, mapping.granuleBytes);
  if (pages.byteLength === 0) return;
  mapping.virtualMemory.unlock(pages.start, pages.byteLength);
  const from = pages.start - mapping.mapAddress;
  mapping.locked.delete(from, from + pages.byteLength);
}
