/**
 * Which pages are in memory. Anonymous pages are asked of the page tables, where stretches that were never touched cost nothing
 * (`PAGEMAP_SCAN`, Linux 6.7). Of files the page cache is asked (`mincore`), which answers for each page, read through this map or
 * not; so it is on older kernels for all pages.
 */

import { bytesOutOfRange } from '@guardstripe/common';

import { residencyHidden } from '../errors.js';
import type { Mapping } from '../mapping.js';
import { checkRuns, pageRuns } from '../platform/page-runs.js';
import type { PageRange } from './decommit-many.js';

/** Pages asked for in one call: a byte each, so 1 MiB of answers for 4 GiB of map. */
const PAGES_PER_CALL = 2 ** 20;
/** Most pages that {@link residentPages} answers for: 256 MiB of answers, for 1 TiB of map. */
const MAX_ANSWERS = 2 ** 28;
const RUNS_PER_CALL = 512;

type Visit = (start: number, end: number) => void;

/** Bytes of whole pages that are in memory, among the pages that hold a range of bytes. */
export function residentBytes(mapping: Mapping, offset?: number, byteLength?: number): number {
  const pages = mapping.pagesAround(offset, byteLength);
  let residentBytes = 0;
  eachRun(mapping, pages.start, pages.byteLength, (start, end) => {
    residentBytes += end - start;
  });
  return residentBytes;
}

/** 1 or 0 for each page that holds a part of a range of bytes. */
export function residentPages(mapping: Mapping, offset?: number, byteLength?: number): Uint8Array {
  const { pageSize } = mapping.virtualMemory;
  const pages = mapping.pagesAround(offset, byteLength);
  if (pages.byteLength > MAX_ANSWERS * pageSize) {
    const rule = `at most ${MAX_ANSWERS} pages of ${pageSize} bytes, for a byte each; residentRanges() answers for more`;
    throw bytesOutOfRange('byteLength', rule, byteLength ?? mapping.byteLength);
  }
  const answers = new Uint8Array(pages.byteLength / pageSize);
  eachRun(mapping, pages.start, pages.byteLength, (start, end) => {
    answers.fill(1, (start - pages.start) / pageSize, (end - pages.start) / pageSize);
  });
  return answers;
}

/** The resident pages of a range as runs, ascending and apart, within the map. */
export function residentRanges(mapping: Mapping, offset?: number, byteLength?: number): PageRange[] {
  const pages = mapping.pagesAround(offset, byteLength);
  const runs: { start: number; end: number }[] = [];
  eachRun(mapping, pages.start, pages.byteLength, (start, end) => {
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  });
  return runs.map(({ start, end }) => mapping.rangeOf(start, end));
}

function eachRun(mapping: Mapping, start: number, byteLength: number, visit: Visit): void {
  const { file, hasReplacedPages, virtualMemory } = mapping;
  if (file?.showsResidency === false) throw residencyHidden();
  if (byteLength === 0) return;
  const isAnonymous = file === undefined && !hasReplacedPages;
  if (isAnonymous && virtualMemory.canScanDirtyPages) byPageTables(mapping, start, start + byteLength, visit);
  else pageByPage(mapping, start, start + byteLength, visit);
}

function byPageTables({ virtualMemory }: Mapping, start: number, end: number, visit: Visit): void {
  const found = pageRuns(RUNS_PER_CALL);
  for (let at = start; at < end; at = found.walkEnd) {
    virtualMemory.scanResident(at, end - at, found);
    checkRuns(found, at, end - at);
    for (let i = 0; i < found.count; i++) visit(found.starts[i]!, found.ends[i]!);
  }
}

function pageByPage({ virtualMemory }: Mapping, start: number, end: number, visit: Visit): void {
  const { pageSize } = virtualMemory;
  const numPages = (end - start) / pageSize;
  const answers = new Uint8Array(Math.min(numPages, PAGES_PER_CALL));
  for (let page = 0; page < numPages; page += PAGES_PER_CALL) {
    const part = answers.subarray(0, Math.min(numPages - page, PAGES_PER_CALL));
    const from = start + page * pageSize;
    virtualMemory.resident(from, part.length * pageSize, part);
    // Both searches are native: runs are few, pages are many.
    for (let first = part.indexOf(1); first !== -1;) {
      const behind = part.indexOf(0, first);
      const last = behind === -1 ? part.length : behind;
      visit(from + first * pageSize, from + last * pageSize);
      first = part.indexOf(1, last);
    }
  }
}
