/** One pool beside a pool a worker and V8's instances: `benchmarks/threads.bench.ts`. */
import { readFileSync } from 'node:fs';
import { digits, table, times } from './format.ts';

const RESULTS = 'benchmarks/results/threads.json';

interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly load: readonly number[];
  readonly compared: readonly {
    readonly what: string;
    readonly reference: { readonly medianNs: number };
    readonly measured: { readonly medianNs: number };
    readonly timesReference: number;
  }[];
  readonly served: {
    readonly load: { readonly workers: number; readonly slots: number };
    readonly modes: readonly {
      readonly mode: string;
      readonly perSecond: number;
      readonly timesShared: number;
      readonly medianMs: number;
      readonly slowestMs: number;
      readonly reused: number;
      readonly residentMiB: number;
    }[];
  };
}

const NAMES: Readonly<Record<string, string>> = {
  shared: 'one pool for all workers',
  'pool-each': 'a pool a worker',
  instances: '`new WebAssembly.Instance`',
};

const read = (): Results => JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;

/** What the front page says. */
export function threadsSummary(): string {
  const { machine, load, served } = read();
  const { workers, slots } = served.load;
  const rows = served.modes.map(({ mode, perSecond, timesShared, reused, residentMiB }) => [
    NAMES[mode] ?? mode,
    `${Number(perSecond.toPrecision(2)).toLocaleString('en')}${mode === 'shared' ? '' : `, ${digits(timesShared)} of the first`}`,
    mode === 'instances' ? '' : `${Math.round(100 * reused)} %`,
    `${Math.round(residentMiB)} MiB`,
  ]);
  const head = [`an HTTP server with ${workers} workers`, 'requests a second', 'to a warm slot', 'resident'];
  return `${table(head, rows)}\n\n\`benchmarks/threads.bench.ts\`: eight tenants, each request in a fresh memory of 1 MiB; ${slots} slots in all; server, workers and clients in one process on ${machine.cores} cores of an ${machine.cpu}, ${machine.kernel.split('-')[0]}, Node ${machine.node.slice(1)}; load average ${load[0]} at the end.`;
}

/** All of them, for the guide. */
export function threadsFigures(): string {
  const { compared, served } = read();
  const pairs = compared.map(({ what, reference, measured, timesReference }) => {
    const ns = [reference, measured].map(({ medianNs }) => `${digits(medianNs)} ns`);
    // Of threads the throughput is told, of kinds the time.
    const told = what.startsWith('two threads')
      ? `${times(1 / timesReference)} as many a second`
      : `${times(timesReference)} as long`;
    return [what, ...ns, told];
  });
  const latencies = served.modes.map(({ mode, medianMs, slowestMs }) => [
    NAMES[mode] ?? mode,
    `${digits(medianMs)} ms`,
    `${digits(slowestMs)} ms`,
  ]);
  return [
    table(['allocate and free', 'one, or private', 'two, or shared', ''], pairs),
    table(['a request', 'median', '99 %'], latencies),
    threadsSummary(),
  ].join('\n\n');
}
