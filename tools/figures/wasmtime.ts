/** Wasmtime itself beside our pool: `benchmarks/wasmtime.bench.ts`. */
import { readFileSync } from 'node:fs';
import { digits, table, time } from './format.ts';

const RESULTS = 'benchmarks/results/wasmtime.json';

interface Fresh {
  readonly pattern: string;
  readonly settings: {
    readonly linearMemoryKeepResident: number;
    readonly pagemapScan: 'disable' | 'enable';
  };
  readonly wasmtimeNs: number;
  readonly poolNs: number;
  readonly ratio: number;
}

interface Served {
  readonly work: string;
  readonly wasmtimeNs: number;
  readonly others: readonly { readonly name: string; readonly ns: number; readonly ratio: number }[];
}

interface Row {
  readonly what: string;
  readonly wasmtime: string;
  readonly pool: string;
}

interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly wasmtime: string;
  readonly load: readonly number[];
  /** What the times of `fresh` are; missing where they are the wall clock's. */
  readonly freshClock?: 'CPU time';
  /** The same of `served`. */
  readonly servedClock?: 'CPU time';
  readonly fresh: readonly Fresh[];
  readonly served: readonly Served[];
  readonly crossed: readonly { readonly to: string; readonly ns: number }[];
  readonly pools: readonly Row[];
  readonly said: readonly Row[];
}

const read = (): Results => JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;

/** What becomes of a freed memory's pages, by the settings. */
function wayOf({ settings }: Fresh): 'dropped' | 'written back' | 'written back after a scan' {
  if (settings.linearMemoryKeepResident === 0) return 'dropped';
  return settings.pagemapScan === 'enable' ? 'written back after a scan' : 'written back';
}

const WAYS = ['dropped', 'written back', 'written back after a scan'] as const;

function where({ machine, wasmtime, load }: Results): string {
  const kernel = machine.kernel.split('-')[0];
  return `Wasmtime ${wasmtime} and ours, in turns, on ${machine.cores} cores of an ${machine.cpu}, ${kernel}, Node ${machine.node.slice(1)}; load average ${load[0]} at the end.`;
}

function freshTable({ fresh }: Results): string {
  const patterns = [...new Set(fresh.map(({ pattern }) => pattern))];
  const rows = patterns.map((pattern) => [
    pattern.replace(/^1 pages/, '1 page'),
    ...WAYS.map((way) => {
      const row = fresh.find((one) => one.pattern === pattern && wayOf(one) === way);
      return row === undefined
        ? ''
        : `${time(row.poolNs)}, Wasmtime ${time(row.wasmtimeNs)}: ${row.ratio.toFixed(2)}`;
    }),
  ]);
  return table(['pages written', ...WAYS], rows);
}

function servedTable({ served }: Results): string {
  const names = served[0]?.others.map(({ name }) => name) ?? [];
  const rows = served.map(({ work, wasmtimeNs, others }) => [
    work,
    time(wasmtimeNs),
    ...others.map(({ ns, ratio }) => `${time(ns)}: ${digits(ratio)}`),
  ]);
  return table(['request', 'Wasmtime', ...names], rows);
}

const clock = (name: 'CPU time' | undefined): string =>
  name === undefined ? '' : `; ${name} of either process`;

/** Until results that have Wasmtime with both settings, all are compared with Wasmtime that writes dirty pages back. */
function servedCaption({ served, servedClock }: Results): string {
  const hasBoth = served[0]?.others.some(({ name }) => name.startsWith('Wasmtime')) ?? false;
  const than = hasBoth
    ? 'times as long as Wasmtime with the same settings; V8, and Wasmtime that drops pages, as Wasmtime that writes them back.'
    : 'times as long as Wasmtime, which writes dirty pages back.';
  return `A fresh instance for each request${clock(servedClock)}. Behind the colon: ${than}`;
}

/** All of it, for the page of performance. */
export function wasmtimeFigures(): string {
  const results = read();
  const pools = table(
    ['what', 'Wasmtime', 'the pool'],
    results.pools.map(({ what, wasmtime, pool }) => [what, wasmtime, escape(pool)]),
  );
  return [
    `A fresh memory with its image, some pages written, given back${clock(results.freshClock)}. Behind the colon: how many times as long ours takes.`,
    freshTable(results),
    servedCaption(results),
    servedTable(results),
    'One call of an imported function with ten numbers, from natively compiled code unless it says otherwise.',
    table(
      ['the function is', 'a call'],
      results.crossed.map(({ to, ns }) => [to, `${digits(ns)} ns`]),
    ),
    'Pools as a whole.',
    pools,
    where(results),
  ].join('\n\n');
}

/** Two sentences, for the front page. */
export function wasmtimeSummary(): string {
  const results = read();
  const { fresh } = results;
  const ratios = fresh.map(({ ratio }) => ratio).toSorted((a, b) => a - b);
  const median = ratios[Math.floor(ratios.length / 2)] ?? Number.NaN;
  const ahead = ratios.filter((ratio) => ratio <= 1).length;
  const worst = fresh.reduce((one, other) => (other.ratio > one.ratio ? other : one));
  return (
    `Beside Wasmtime itself, with the same settings, a fresh memory given back takes ${median.toFixed(2)} times as long as there in the median of ` +
    `${ratios.length} patterns and ways, no longer in ${ahead} of them, and ${worst.ratio.toFixed(2)} times at worst ` +
    `(${worst.pattern}, ${wayOf(worst)}). ${where(results)} [All of them, and what bounds us](docs/guides/performance.md).`
  );
}

/** What both answer to the same, for the guide from there to here. */
export function wasmtimeStories(): string {
  const { wasmtime, said } = read();
  const rows = said.map((row) => [row.what, escape(row.wasmtime), escape(row.pool)]);
  return table(['what happens', `Wasmtime ${wasmtime}`, 'Guardstripe'], rows);
}

const escape = (text: string): string => text.replaceAll('|', String.raw`\|`);
