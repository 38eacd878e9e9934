/** Which pages are in memory. */

import type { Mapping } from '../mapping.js';

/** Pages asked for in one call: a byte each, so 1 MiB of answers for 4 GiB of map. */
const PAGES_PER_CALL = 2 ** 20;

/** Bytes of whole pages that are in memory, among the pages that hold a range of bytes. */
export function residentBytes(mapping: Mapping, offset?: number, byteLength?: number): number {
  const { pageSize } = mapping.virtualMemory;
  const pages = mapping.pagesAround(offset, byteLength);
  const numPages = pages.byteLength / pageSize;
  const answers = new Uint8Array(Math.min(numPages, PAGES_PER_CALL));
  let numResident = 0;
  for (let page = 0; page < numPages; page += PAGES_PER_CALL) {
    const part = answers.subarray(0, Math.min(numPages - page, PAGES_PER_CALL));
    mapping.virtualMemory.resident(pages.start + page * pageSize, part.length * pageSize, part);
    for (const isResident of part) numResident += isResident;
  }
  return numResident * pageSize;
}

/** 1 or 0 for each page that holds a part of a range of bytes. */
export function residentPages(mapping: Mapping, offset?: number, byteLength?: number): Uint8Array {
  const pages = mapping.pagesAround(offset, byteLength);
  const answers = new Uint8Array(pages.byteLength / mapping.virtualMemory.pageSize);
  if (answers.length !== 0) mapping.virtualMemory.resident(pages.start, pages.byteLength, answers);
  return answers;
}
