/** The figures of snapshots: `benchmarks/snapshot.bench.ts`. */
import { readFileSync } from 'node:fs';
import { table, time, times } from './format.ts';

const RESULTS = 'benchmarks/results/snapshot.json';

interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly sizes: readonly {
    readonly mib: number;
    readonly numPages: number;
    readonly measurements: readonly { readonly name: string; readonly medianNs: number }[];
  }[];
  readonly forked: {
    readonly instantiateNs: number;
    readonly forkNs: number;
    readonly copyNs: number;
    readonly forkBytes: number;
    readonly copyBytes: number;
  };
}

const kib = (bytes: number): string => `${Math.round(bytes / 1024).toLocaleString('en')} KiB`;

export function snapshotFigures(): string {
  const { machine, sizes, forked } = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
  const rows = sizes.map(({ mib, numPages, measurements }) => {
    const median = (name: string): number => {
      const found = measurements.find((measurement) => measurement.name === name);
      if (found === undefined) throw new Error(`${RESULTS} has no measurement "${name}"`);
      return found.medianNs;
    };
    const [ours, copy] = [median("snapshot: 'written'"), median('copying all of it')];
    return [
      `restoring ${mib} MiB, all of it read, ${numPages} other pages written each time`,
      time(ours),
      `${time(copy)}: copying it, ${times(copy / ours)} as long; ${time(median('C: the same system calls'))}: a C program that makes the same system calls`,
    ];
  });
  rows.push([
    'giving a new instance a warm state of 16 MiB, beyond instantiation',
    `${time(forked.forkNs)}, ${kib(forked.forkBytes)} private`,
    `${time(forked.copyNs)}, ${kib(forked.copyBytes)} private: copying it`,
  ]);
  return `${table(['what', 'a snapshot', 'beside it'], rows)}\n\nMedians of \`benchmarks/snapshot.bench.ts\` on ${machine.cores} cores of an ${machine.cpu}, ${machine.kernel.split('-')[0]}, Node ${machine.node.slice(1)}. The writes are not in it; each fork then wrote 20 pages.`;
}
