/**
 * Changes the sources in thousands of small ways, one at a time, and looks whether the tests notice: `pnpm mutate`, not in CI. A
 * mutant that survives is a line that no test defends.
 *
 *     node tools/mutate/main.ts [beginning of a piece's name ...] [--files src/a.ts] [--concurrency 2] [--force]
 *
 * What has not changed since the last run is not tried again, unless forced. The reports are left in `tools/mutate/out`. Ends with 1
 * if in any piece fewer mutants are killed than `THRESHOLD` percent.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ADDS_ZERO, RUNNER } from './runner.ts';

const HERE = import.meta.dirname;
const WORKSPACE = join(HERE, '..', '..');
const OUT = join(HERE, 'out');
const THRESHOLD = 90;

/** Sources that are tried together, by the tests that know of them. */
interface Piece {
  readonly name: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

/** Of pure packages only: a mutant of code that maps memory may end the process, or the machine. */
const PIECES: readonly Piece[] = [
  {
    name: 'index-allocator-private',
    folder: 'index-allocator',
    files: ['src/*.ts'],
    tests: ['test/*.test.ts'],
  },
  {
    name: 'index-allocator-shared',
    folder: 'index-allocator',
    files: ['src/shared/*.ts', 'src/threads/*.ts'],
    // Without real threads, which run what is built; and without `mistakes`, a test of a test, which is content with any mistake.
    tests: ['test/shared/!(workers|mistakes).test.ts', 'test/threads/*.test.ts'],
  },
  // The command line is tested as it is built.
  {
    name: 'layout-slab',
    folder: 'layout',
    files: ['src/*.ts', '!src/cli.ts'],
    tests: ['test/*.test.ts', 'test/plan/*.test.ts'],
  },
  { name: 'layout-plan', folder: 'layout', files: ['src/plan/*.ts'], tests: ['test/plan/*.test.ts'] },
  { name: 'layout-draw', folder: 'layout', files: ['src/draw/**/*.ts'], tests: ['test/draw/**/*.test.ts'] },
];

interface Settings {
  readonly files: readonly string[] | undefined;
  readonly concurrency: number;
  readonly force: boolean;
}

function mutate({ name, folder, files, tests }: Piece, settings: Settings): boolean {
  const options = {
    mutate: settings.files ?? files,
    testRunner: RUNNER,
    ignorers: [ADDS_ZERO],
    plugins: [join(HERE, 'runner.ts')],
    testFiles: tests,
    coverageAnalysis: 'perTest',
    // Those of constants at the top of a module need a new process and all tests each.
    ignoreStatic: true,
    concurrency: settings.concurrency,
    incremental: true,
    incrementalFile: join(WORKSPACE, 'node_modules', '.cache', 'mutate', `${name}.json`),
    force: settings.force,
    tempDirName: '.stryker-tmp',
    // The runner ends what loops or waits for ever; this is for what it cannot end, and long, for other processes may have the CPU.
    timeoutMS: 120_000,
    reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
    htmlReporter: { fileName: join(OUT, `${name}.html`) },
    jsonReporter: { fileName: join(OUT, `${name}.json`) },
    clearTextReporter: { allowColor: false, reportTests: false },
    thresholds: { high: THRESHOLD, low: THRESHOLD, break: THRESHOLD },
  };
  mkdirSync(OUT, { recursive: true });
  const file = join(OUT, `${name}.stryker.json`);
  writeFileSync(file, JSON.stringify(options));
  const stryker = join(WORKSPACE, 'node_modules', '.bin', 'stryker');
  const { status } = spawnSync(stryker, ['run', file], {
    cwd: join(WORKSPACE, 'packages', folder),
    stdio: 'inherit',
  });
  return status === 0;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string', multiple: true },
    concurrency: { type: 'string', default: '2' },
    force: { type: 'boolean', default: false },
  },
});
const pieces = PIECES.filter(
  ({ name }) => positionals.length === 0 || positionals.some((beginning) => name.startsWith(beginning)),
);
if (pieces.length === 0) {
  const names = PIECES.map(({ name }) => name).join(', ');
  throw new RangeError(`No piece begins like that; there are ${names}. Received ${positionals.join(' ')}`);
}
const settings: Settings = {
  files: values.files,
  concurrency: Number(values.concurrency),
  force: values.force,
};
const results = pieces.map((piece) => mutate(piece, settings));
process.exitCode = results.every(Boolean) ? 0 : 1;
