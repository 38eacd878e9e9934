/** The README's figures: `benchmarks/pool.bench.ts`. */
import { readFileSync } from 'node:fs';
import { table, time, times } from './format.ts';

const RESULTS = 'benchmarks/results/pool.json';

interface Measurement {
  readonly name: string;
  readonly medianNs: number;
}

interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly recycled: readonly {
    readonly dirtyPages: number;
    readonly measurements: readonly Measurement[];
  }[];
  readonly created: readonly { readonly numSlots: number; readonly createNs: number }[];
}

function median(measurements: readonly Measurement[], name: string): number {
  const found = measurements.find((measurement) => measurement.name === name);
  if (found === undefined) throw new Error(`${RESULTS} has no measurement "${name}"`);
  return found.medianNs;
}

export function poolFigures(): string {
  const { machine, recycled, created } = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
  const four = recycled.find(({ dirtyPages }) => dirtyPages === 4)?.measurements ?? [];
  const million = created.find(({ numSlots }) => numSlots === 1_000_000)?.createNs ?? 0;
  const instance = median(four, 'new WebAssembly.Instance');
  // Results of before the benchmark knew the default settings have the same under another name.
  const isDefault = four.some(({ name }) => name === 'pool: default');
  const way = isDefault ? 'pool: default' : 'pool: scan';
  const view = median(four, `${way}, with a view`);
  const native = median(four, way);
  const rows = [
    [
      'a fresh memory of 1 MiB with a 64 KiB image, 4 pages written, given back: native guest',
      time(native),
      `${time(median(four, 'C: scan'))}: a C program that makes the same system calls`,
    ],
    ...(isDefault
      ? [
          [
            'the same through `memory.write`',
            time(median(four, `${way}, memory.write`)),
            `${time(median(four, 'calls only: scan'))}: the same system calls from JavaScript, without a pool`,
          ],
        ]
      : []),
    [
      'the same with a JavaScript view (`unsafeBuffer`)',
      time(view),
      `${time(instance)}: \`new WebAssembly.Instance\`, ${times(instance / view)} as long`,
    ],
    ['making a pool of a million slots', time(million), ''],
  ];
  const settings = isDefault ? ', with the default settings' : '; freed memories keep up to 1 MiB resident';
  return `${table(['what', 'the pool', 'beside it'], rows)}\n\nMedians of \`benchmarks/pool.bench.ts\` on ${machine.cores} cores of an ${machine.cpu}, ${machine.kernel.split('-')[0]}, Node ${machine.node.slice(1)}${settings}.`;
}
