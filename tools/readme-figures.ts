/**
 * Writes the figures of the README from the results that the benchmarks left, so that no number is there by hand.
 * With `--check` it only compares, and fails if the README says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const RESULTS = 'benchmarks/results/pool.json';
const README = 'README.md';
const BLOCK = /<!-- figures -->\n[\s\S]*<!-- \/figures -->/;

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
  readonly restored: { readonly untouched: readonly Measurement[] };
  readonly created: readonly { readonly numSlots: number; readonly createNs: number }[];
}

/** Two significant digits, in a unit that a person reads. */
function time(ns: number): string {
  const [value, unit] = ns < 1e6 ? [ns / 1e3, 'µs'] : [ns / 1e6, 'ms'];
  return `${Number(value.toPrecision(2))} ${unit}`;
}

function times(slow: number, fast: number): string {
  return `${Number((slow / fast).toPrecision(2))} times`;
}

function median(measurements: readonly Measurement[], name: string): number {
  const found = measurements.find((measurement) => measurement.name === name);
  if (found === undefined) throw new Error(`${RESULTS} has no measurement "${name}"`);
  return found.medianNs;
}

function figures({ machine, recycled, restored, created }: Results): string {
  const four = recycled.find(({ dirtyPages }) => dirtyPages === 4)?.measurements ?? [];
  const { untouched } = restored;
  const million = created.find(({ numSlots }) => numSlots === 1_000_000)?.createNs ?? 0;
  const instance = median(four, 'new WebAssembly.Instance');
  const view = median(four, 'pool: scan, with a view');
  const native = median(four, 'pool: scan');
  const copy = median(untouched, 'Buffer.copy of all 64 MiB');
  const restore = median(untouched, 'pool: scan');
  const rows = [
    ['what', 'the pool', 'beside it'],
    ['---', '---', '---'],
    [
      'a fresh memory of 1 MiB with a 64 KiB image, 4 pages written, given back: native guest',
      time(native),
      `${time(median(four, 'C: scan'))}: a C program that makes the same system calls`,
    ],
    [
      'the same with a JavaScript view',
      time(view),
      `${time(instance)}: \`new WebAssembly.Instance\`, ${times(instance, view)} as long`,
    ],
    [
      'restoring 64 MiB of which 40 pages were written',
      time(restore),
      `${time(copy)}: copying it, ${times(copy, restore)} as long`,
    ],
    ['making a pool of a million slots', time(million), ''],
  ];
  const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return `${table}\n\nMedians of \`benchmarks/pool.bench.ts\` on ${machine.cores} cores of an ${machine.cpu}, ${machine.kernel.split('-')[0]}, Node ${machine.node.slice(1)}; freed memories keep up to 1 MiB resident.`;
}

const readme = readFileSync(README, 'utf8');
if (!BLOCK.test(readme)) throw new Error(`${README} has no block of figures`);
const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
const written = readme.replace(BLOCK, () => `<!-- figures -->\n\n${figures(results)}\n\n<!-- /figures -->`);
const words = (text: string) => text.replaceAll(/[\s|-]+/g, ' ');

if (!process.argv.includes('--check')) {
  writeFileSync(README, written);
} else if (words(written) !== words(readme)) {
  console.error(`The figures in ${README} are not those of ${RESULTS}: run node tools/readme-figures.ts`);
  process.exitCode = 1;
}
