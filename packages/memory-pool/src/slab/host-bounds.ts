/** What bounds a process's memory, and what to say of it when the system refuses. Cold: read anew from `/proc`. */
import { size } from '@guardstripe/common';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { host, SystemError } from '@guardstripe/mmap';
import { countMappings } from '../slots/process-mappings.js';

/** Something of which a process may have only so much. */
interface Bound {
  readonly name: string;
  readonly used: number;
  /** What the refused call would have added, at most. */
  readonly wanted: number;
  readonly limit: number;
  readonly show: (amount: number) => string;
  readonly advice: string;
}

/** How near a limit must be to be named as the likely reason. */
const NEAR = 0.95;
/** Counting the mappings of a process that has all it may takes tens of milliseconds: not for each of many refusals. */
const COUNT_LIFETIME_MS = 1000;

let lastCount = { mappings: 0, countedAt: Number.NEGATIVE_INFINITY };

/** The host's bounds in one line. */
export function describeHost(): string {
  const { addressBits, overcommit, addressSpaceLimitBytes, maxMapCount } = host();
  const limit = addressSpaceLimitBytes === undefined ? 'unlimited' : size(addressSpaceLimitBytes);
  return (
    `${addressBits} address bits, RLIMIT_AS ${limit}, overcommit ${overcommit}, ` +
    `${mappings()} mappings of vm.max_map_count ${maxMapCount ?? 'unknown'}`
  );
}

/** The same error with what the pool was doing and, where memory ran out, what bounds it; anything else as it is. */
export function explainRefusal(action: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const { errno, syscall, address, byteLength } = error;
  const range = {
    ...(address === undefined ? {} : { address }),
    ...(byteLength === undefined ? {} : { byteLength }),
  };
  const explained = new SystemError(-errno, { syscall, ...range }, { cause: error });
  const reason = error.code === 'ENOMEM' ? `. ${explain(bounds(byteLength ?? 0))}` : '';
  explained.message = `Cannot ${action}: ${error.message}${reason}`;
  // The stack begins with the message as it was.
  Error.captureStackTrace(explained, explainRefusal);
  return explained;
}

function explain(all: readonly Bound[]): string {
  const near = all.filter(({ used, wanted, limit }) => used + wanted >= limit * NEAR);
  if (near.length === 0) return 'No limit of this process is near: the machine itself may be out of memory';
  return near
    .map(({ name, used, limit, show, advice }) => `${name}: ${show(used)} of ${show(limit)}; ${advice}`)
    .join('. ');
}

function bounds(byteLength: number): Bound[] {
  const { maxMapCount, addressSpaceLimitBytes, overcommit } = host();
  const status = read('/proc/self/status');
  const meminfo = overcommit === 'never' ? read('/proc/meminfo') : '';
  const all: (Omit<Bound, 'limit'> & { readonly limit: number | undefined })[] = [
    {
      name: 'vm.max_map_count is reached',
      used: mappings(),
      // A change in the middle of a mapping makes three of it.
      wanted: 2,
      limit: maxMapCount,
      show: asCount,
      advice: 'hold fewer memories at once, or raise it',
    },
    {
      name: 'RLIMIT_AS is near',
      used: kibibytes(status, 'VmSize'),
      wanted: byteLength,
      limit: addressSpaceLimitBytes,
      show: size,
      advice: 'raise it (ulimit -v), or reserve less',
    },
    {
      name: 'RLIMIT_DATA is near',
      used: kibibytes(status, 'VmData'),
      wanted: byteLength,
      limit: dataLimitBytes(),
      show: size,
      advice: 'raise it (ulimit -d), or hold less memory',
    },
    {
      name: 'vm.overcommit_memory is 2, and the commit limit is near',
      used: kibibytes(meminfo, 'Committed_AS'),
      wanted: byteLength,
      limit: meminfo === '' ? undefined : kibibytes(meminfo, 'CommitLimit'),
      show: size,
      advice: 'accessible pages count, touched or not: hold less, or raise vm.overcommit_ratio',
    },
  ];
  return all.filter((bound): bound is Bound => bound.limit !== undefined);
}

const asCount = (count: number) => `${count} mappings`;

function mappings(): number {
  const now = performance.now();
  if (now - lastCount.countedAt > COUNT_LIFETIME_MS) {
    lastCount = { mappings: countMappings() ?? 0, countedAt: now };
  }
  return lastCount.mappings;
}

function dataLimitBytes(): number | undefined {
  const softLimit = /^Max data size\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  return softLimit === undefined ? undefined : Number(softLimit);
}

function kibibytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

/** A file of `/proc`, or nothing where it is hidden. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
