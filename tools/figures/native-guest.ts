/** The figures of the guide to native guests: `examples/native-guest/bench.ts`. */
import { readFileSync } from 'node:fs';
import { digits, table, time } from './format.ts';

const RESULTS = 'benchmarks/results/native-guest.json';
const [V8, WRITTEN, DROPPED] = ['V8', 'pool, dirty pages written back', 'pool, pages dropped'];

interface Served {
  readonly name: string;
  readonly timesV8: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Live {
  readonly residentBytes: number;
  readonly pageTableBytes: number;
  readonly mappings: number;
}

interface Results {
  readonly machine: string;
  readonly load: readonly number[];
  readonly numLive: number;
  readonly served: readonly { readonly work: string; readonly figures: readonly Served[] }[];
  readonly live: readonly { readonly kind: string; readonly figures: Live }[];
}

function of<T extends { readonly [K in Key]: string }, Key extends 'name' | 'kind'>(
  all: readonly T[],
  key: Key,
  value: string,
): T {
  const found = all.find((one) => one[key] === value);
  if (found === undefined) throw new Error(`${RESULTS} has no "${value}"`);
  return found;
}

function requestRow({ work, figures }: Results['served'][number]): string[] {
  const [v8, written, dropped] = [V8, WRITTEN, DROPPED].map((name) => of(figures, 'name', name)) as [
    Served,
    Served,
    Served,
  ];
  const microseconds = [written.p50Us, written.p99Us, v8.p50Us, v8.p99Us];
  return [
    work,
    ...microseconds.map((us) => time(us * 1000)),
    digits(written.timesV8),
    digits(dropped.timesV8),
  ];
}

function liveRow({ live, numLive }: Results, kind: string, name: string): string[] {
  const { residentBytes, pageTableBytes, mappings } = of(live, 'kind', kind).figures;
  const kibibytesEach = (bytes: number): string => `${digits(bytes / numLive / 1024)} KiB`;
  return [
    name,
    `${Math.round(residentBytes / 2 ** 20)} MiB`,
    kibibytesEach(residentBytes),
    kibibytesEach(pageTableBytes),
    digits(mappings / numLive),
  ];
}

export function nativeGuestFigures(): string {
  const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
  const { machine, load, numLive, served } = results;
  const requests = table(
    ['request', 'pool, p50', 'pool, p99', 'V8, p50', 'V8, p99', "requests, times V8's", 'with pages dropped'],
    served.map(requestRow),
  );
  const live = table(
    [
      `${numLive.toLocaleString('en-US')} live instances, one tiny request served by each`,
      'resident',
      'each',
      'page tables, each',
      'mappings, each',
    ],
    [liveRow(results, 'pool', 'pool'), liveRow(results, 'v8', 'V8')],
  );
  return `${requests}\n\n${live}\n\nOn ${machine}; load average ${load[0]}.`;
}
