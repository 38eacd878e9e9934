/**
 * What pages allow, as the kernel has it: our own books would miss what an image, another thread or a native library did
 * to the range. `PROCMAP_QUERY` (Linux 6.11) answers for one mapping in a microsecond; `/proc/self/maps`, which lists
 * every mapping of the process, is the way before that.
 */

import { SystemError } from '../../errors.js';
import { lazily } from './lazily.js';
import { readProc, withFile } from './proc.js';
import type { Access, AccessRun, FileRun } from '../virtual-memory.js';

/** A mapping's bounds and its `rwx` bits: read 1, write 2, execute 4. */
interface Mapped {
  readonly start: number;
  readonly end: number;
  readonly bits: number;
}

const ACCESS_OF_BITS: Readonly<Record<number, Access>> = {
  0: 'none',
  1: 'read',
  3: 'read-write',
  5: 'read-execute',
};

const ENOMEM = 12;

/** `_IOWR('f', 17, struct procmap_query)`, linux/fs.h. */
const PROCMAP_QUERY = 0xc068_6611;
const PROCMAP_QUERY_BYTES = 104;
const COVERING_OR_NEXT_VMA = 0x10;
const RWX_BITS = 7n;

type QueryCall = (fd: number, request: number, query: BigUint64Array) => number;

const query = lazily<QueryCall>('int ioctl(int fd, unsigned long request, void *query)');

/** The runs of a range, in order; a gap is the system's `ENOMEM`, as `mprotect` has it. */
export function accessOf(address: number, byteLength: number): AccessRun[] {
  const end = address + byteLength;
  const mappings = queryMappings(address, end) ?? parseMappings(readProc('/proc/self/maps'));
  return runsOf(mappings, address, end);
}

/** Cuts mappings to a range and joins neighbours that allow the same. */
export function runsOf(mappings: Iterable<Mapped>, address: number, end: number): AccessRun[] {
  const runs: AccessRun[] = [];
  let at = address;
  for (const mapped of mappings) {
    if (mapped.end <= at) continue;
    if (at >= end || mapped.start > at) break;
    const upTo = Math.min(mapped.end, end);
    const access = ACCESS_OF_BITS[mapped.bits] ?? 'other';
    const last = runs.at(-1);
    if (last !== undefined && last.access === access)
      runs[runs.length - 1] = { ...last, byteLength: upTo - last.address };
    else runs.push({ address: at, byteLength: upTo - at, access });
    at = upTo;
  }
  if (at < end) throw new SystemError(ENOMEM, { syscall: 'mprotect', address, byteLength: end - address });
  return runs;
}

/** The mappings that `/proc/self/maps` lists: `7f0000000000-7f0000001000 rw-p ...`. */
export function parseMappings(maps: string): Mapped[] {
  const found: Mapped[] = [];
  for (const match of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)(x|-)/gm)) {
    const [, start, end, read, write, execute] = match;
    const bits = (read === 'r' ? 1 : 0) | (write === 'w' ? 2 : 0) | (execute === 'x' ? 4 : 0);
    found.push({ start: Number(`0x${start}`), end: Number(`0x${end}`), bits });
  }
  return found;
}

/** Of the mappings that `/proc/self/maps` lists, those of the file that is mapped at an address: same device, same inode. */
export function mappingsOfFile(address: number, maps = readProc('/proc/self/maps')): FileRun[] {
  const byFile = new Map<string, FileRun[]>();
  let wanted: FileRun[] = [];
  // 7f0000000000-7f0000001000 r--s 00002000 fe:01 1234   /path
  for (const match of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) (\S+ \d+)/gm)) {
    const [start = 0, end = 0, fileOffset = 0] = match.slice(1, 4).map((digits) => Number(`0x${digits}`));
    const file = match[4]!;
    if (file.endsWith(' 0')) continue;
    const runs = byFile.get(file) ?? [];
    byFile.set(file, runs);
    runs.push({ address: start, byteLength: end - start, fileOffset });
    if (start <= address && address < end) wanted = runs;
  }
  return wanted;
}

/** Asks mapping by mapping; nothing where the kernel cannot be asked. */
export function queryMappings(address: number, end: number): Mapped[] | undefined {
  return withFile('/proc/self/maps', (fd) => {
    const found: Mapped[] = [];
    for (let at = address; at < end;) {
      // size, query_flags, query_addr, vma_start, vma_end, vma_flags, ...
      const words = new BigUint64Array(PROCMAP_QUERY_BYTES / 8);
      words.set([BigInt(PROCMAP_QUERY_BYTES), BigInt(COVERING_OR_NEXT_VMA), BigInt(at)]);
      // Refused at the first mapping: an older kernel. Later: nothing is mapped from there on.
      if (query()(fd, PROCMAP_QUERY, words) !== 0) return found.length === 0 ? undefined : found;
      const [, , , start = 0n, mappedEnd = 0n, flags = 0n] = words;
      found.push({ start: Number(start), end: Number(mappedEnd), bits: Number(flags & RWX_BITS) });
      at = Number(mappedEnd);
    }
    return found;
  });
}
