/** What the kernel says this process uses: `/proc/self`, see proc(5). Everything is in bytes. */
import { readFileSync } from 'node:fs';

export interface ResidentMemory {
  /** Pages in RAM, one that several mappings share counted for each. */
  readonly rssBytes: number;
  /** Pages in RAM, one that several mappings share counted once in all. */
  readonly pssBytes: number;
  /** Page tables: the kernel's own cost of addresses that were touched; not part of the other two. */
  readonly pageTableBytes: number;
}

export function residentMemory(): ResidentMemory {
  const rollup = readFileSync('/proc/self/smaps_rollup', 'latin1');
  const status = readFileSync('/proc/self/status', 'latin1');
  return {
    rssBytes: kibibytes(rollup, 'Rss'),
    pssBytes: kibibytes(rollup, 'Pss'),
    pageTableBytes: kibibytes(status, 'VmPTE'),
  };
}

/**
 * Pages in RAM of the mappings between two addresses. Exact where the difference of two {@link residentMemory} is not:
 * the JavaScript heap grows and shrinks by more than many memories take.
 */
export function residentBetween(start: number, end: number): { rssBytes: number; pssBytes: number } {
  let rssBytes = 0;
  let pssBytes = 0;
  const smaps = readFileSync('/proc/self/smaps', 'latin1');
  for (const [, address = '', rss, pss] of smaps.matchAll(MAPPING)) {
    const mappingStart = Number.parseInt(address, 16);
    if (mappingStart < start || mappingStart >= end) continue;
    rssBytes += Number(rss) * 1024;
    pssBytes += Number(pss) * 1024;
  }
  return { rssBytes, pssBytes };
}

/** One mapping's entry of `/proc/self/smaps`, as far as it is wanted. */
const MAPPING =
  /^([\da-f]+)-[\da-f]+ .*\n(?:(?!Rss)\w+:.*\n)*Rss: +(\d+) kB\n(?:(?!Pss:)\w+:.*\n)*Pss: +(\d+) kB/gm;

export function difference(after: ResidentMemory, before: ResidentMemory): ResidentMemory {
  return {
    rssBytes: after.rssBytes - before.rssBytes,
    pssBytes: after.pssBytes - before.pssBytes,
    pageTableBytes: after.pageTableBytes - before.pageTableBytes,
  };
}

/** Address space that the process has taken, used or not. */
export function addressSpaceBytes(): number {
  return kibibytes(readFileSync('/proc/self/status', 'latin1'), 'VmSize');
}

export function mappingCount(): number {
  return readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1;
}

/** The longest stretch of addresses that nothing is mapped at, below the highest mapping. */
export function largestGapBytes(): number {
  let largest = 0;
  let previousEnd = Number.POSITIVE_INFINITY;
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [start, end] = line.split(/[- ]/, 2).map((address) => Number.parseInt(address, 16));
    // The last line is of the kernel's half of the addresses.
    if (start === undefined || end === undefined || end > Number.MAX_SAFE_INTEGER) break;
    largest = Math.max(largest, start - previousEnd);
    previousEnd = end;
  }
  return largest;
}

/** Start addresses of the mappings whose name has `part` in it. */
export function mappedAddresses(part: string): Set<number> {
  const addresses = new Set<number>();
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    if (line.includes(part)) addresses.add(Number.parseInt(line, 16));
  }
  return addresses;
}

/** Whether the kernel backs a touched page of plain memory with 2 MiB where it can. */
export function hugePagesAlways(): boolean {
  try {
    return readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'latin1').includes('[always]');
  } catch {
    return false;
  }
}

function kibibytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
}
