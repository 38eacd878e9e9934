/** What restoring a large working set costs with the code that a JavaScript user writes: `benchmarks/restore.bench.ts`. */
import { readFileSync } from 'node:fs';
import { table, time, times } from './format.ts';

const RESULTS = 'benchmarks/results/restore.json';

interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly load: readonly number[];
  readonly patterns: readonly {
    readonly pages: 'same' | 'other';
    readonly reads: string;
    readonly resetNs: number;
    readonly copyNs: number;
    readonly copyRatio: number;
  }[];
}

const READS: Readonly<Record<string, string>> = {
  nothing: 'and nothing else read',
  'all once': 'and all of it read once before',
  'all each time': 'and all of it read each time',
};

export function restoreFigures(): string {
  const { machine, load, patterns } = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
  const rows = patterns.map(({ pages, reads, resetNs, copyNs, copyRatio }) => [
    `${pages === 'same' ? 'the same 40 pages written each time' : '40 other pages written each time'}, ${READS[reads] ?? reads}`,
    time(resetNs),
    `${time(copyNs)}, ${times(copyRatio)} as long`,
  ]);
  return `${table(['restoring 64 MiB', '`memory.reset()`', 'copying it'], rows)}\n\nCPU time, medians of \`benchmarks/restore.bench.ts\`, with the default settings, on ${machine.cores} cores of an ${machine.cpu}, ${machine.kernel.split('-')[0]}, Node ${machine.node.slice(1)}; load average ${load[0]} at the end. The writes and reads are not in it.`;
}
