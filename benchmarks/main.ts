/**
 * Runs benchmarks, one after the other:
 *
 *     pnpm bench                   all of them, and writes `benchmarks/results`
 *     pnpm bench pool              one, or some, by the names of their results
 *     pnpm bench --quick           smaller numbers, in a minute: whether they run; nothing is written
 *
 * Ends with 1 if one of them failed; the others are run all the same.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXECUTABLE } from './wasmtime/program.ts';

const HERE = import.meta.dirname;
const WORKSPACE = join(HERE, '..');

/** Needs protection keys, 12 GiB and minutes: it is run in the emulated machine, by itself. */
const BY_HAND = 'many-memories';

/** Takes minutes to build the first time: without it, `--quick` would not be. */
const BUILT = { name: 'wasmtime', program: EXECUTABLE };

/** Programs by the name of their results. An example's benchmark is named after the example. */
function benchmarks(): ReadonlyMap<string, string> {
  const ours = globSync('benchmarks/*.bench.ts', { cwd: WORKSPACE });
  const ofExamples = globSync('examples/*/bench.ts', { cwd: WORKSPACE });
  const named = [
    ...ours.map((file) => [basename(file, '.bench.ts'), file] as const),
    ...ofExamples.map((file) => [basename(join(file, '..')), file] as const),
  ];
  return new Map(named.filter(([name]) => name !== BY_HAND).toSorted(([a], [b]) => a.localeCompare(b)));
}

function run(name: string, file: string, quick: boolean): boolean {
  console.log(`\n=== ${name}${quick ? ', quick' : ''}\n`);
  const settings = quick ? ['--quick'] : ['--json', join(HERE, 'results', `${name}.json`)];
  const { status } = spawnSync(process.execPath, [join(WORKSPACE, file), ...settings], { stdio: 'inherit' });
  return status === 0;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const all = benchmarks();
const leftOut = values.quick && !existsSync(BUILT.program) ? BUILT.name : undefined;
const names = positionals.length > 0 ? positionals : [...all.keys()].filter((name) => name !== leftOut);
const unknown = names.find((name) => !all.has(name));
if (unknown !== undefined)
  throw new RangeError(`A benchmark is one of ${[...all.keys()].join(', ')}; received "${unknown}"`);

if (leftOut !== undefined && positionals.length === 0)
  console.log(`${leftOut} is left out: it is not built yet, which \`pnpm bench ${leftOut}\` does`);
const failed = names.filter((name) => !run(name, all.get(name)!, values.quick));
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
