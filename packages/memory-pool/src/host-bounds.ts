/** What bounds a process's memory, and what to say of it when the system refuses. Cold: read anew from `/proc`. */
import { readFileSync } from 'node:fs';
import { host, SystemError } from '@guardstripe/mmap';
import { size } from './errors.js';

/** Something of which a process may have only so much. */
interface Bound {
  readonly name: string;
  readonly used: number;
  readonly limit: number;
  readonly show: (amount: number) => string;
  readonly advice: string;
}

/** How near a limit must be to be named as the likely reason. */
const NEAR = 0.95;
/** Counting the mappings of a process that has all it may takes tens of milliseconds: not for each of many refusals. */
const EXPLANATION_LIFETIME_MS = 1000;

let lastExplanation: { readonly text: string; readonly madeAt: number } | undefined;

/** The host's bounds in one line. */
export function describeHost(): string {
  const { addressBits, overcommit, addressSpaceLimitBytes, maxMapCount } = host();
  const limit = addressSpaceLimitBytes === undefined ? 'unlimited' : size(addressSpaceLimitBytes);
  return (
    `${addressBits} address bits, RLIMIT_AS ${limit}, overcommit ${overcommit}, ` +
    `${countMappings()} mappings of vm.max_map_count ${maxMapCount ?? 'unknown'}`
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
  const reason = error.code === 'ENOMEM' ? `. ${explainOnce()}` : '';
  explained.message = `Cannot ${action}: ${error.message}${reason}`;
  // The stack begins with the message as it was.
  Error.captureStackTrace(explained, explainRefusal);
  return explained;
}

function explainOnce(): string {
  const now = performance.now();
  if (lastExplanation === undefined || now - lastExplanation.madeAt > EXPLANATION_LIFETIME_MS) {
    lastExplanation = { text: explain(bounds()), madeAt: now };
  }
  return lastExplanation.text;
}

function explain(all: readonly Bound[]): string {
  const near = all.filter(({ used, limit }) => used >= limit * NEAR);
  if (near.length === 0) return 'No limit of this process is near: the machine itself may be out of memory';
  return near
    .map(({ name, used, limit, show, advice }) => `${name}: ${show(used)} of ${show(limit)}; ${advice}`)
    .join('. ');
}

function bounds(): Bound[] {
  const { maxMapCount, addressSpaceLimitBytes, overcommit } = host();
  const status = read('/proc/self/status');
  const all: Bound[] = [];
  const add = (
    name: string,
    used: number,
    limit: number | undefined,
    show: Bound['show'],
    advice: string,
  ) => {
    if (limit !== undefined) all.push({ name, used, limit, show, advice });
  };
  add(
    'vm.max_map_count is reached',
    countMappings(),
    maxMapCount,
    asCount,
    'hold fewer memories at once, or raise it',
  );
  const addressSpace = kibibytes(status, 'VmSize');
  const advice = 'raise it (ulimit -v), or reserve less';
  add('RLIMIT_AS is near', addressSpace, addressSpaceLimitBytes, size, advice);
  const data = kibibytes(status, 'VmData');
  add('RLIMIT_DATA is near', data, dataLimitBytes(), size, 'raise it (ulimit -d), or hold less memory');
  if (overcommit === 'never') {
    const meminfo = read('/proc/meminfo');
    add(
      'vm.overcommit_memory is 2, and the commit limit is near',
      kibibytes(meminfo, 'Committed_AS'),
      kibibytes(meminfo, 'CommitLimit'),
      size,
      'accessible pages count, touched or not: hold less, or raise vm.overcommit_ratio',
    );
  }
  return all;
}

const asCount = (mappings: number) => `${mappings} mappings`;

function countMappings(): number {
  return read('/proc/self/maps').split('\n').length - 1;
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
