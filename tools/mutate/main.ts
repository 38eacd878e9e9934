/**
 * Changes the sources in thousands of small ways, one at a time, and looks whether the tests notice: `pnpm mutate`, not in CI. A
 * mutant that survives is a line that no test defends.
 *
 *     node tools/mutate/main.ts [--package index-allocator] [part of a source's path ...]
 *
 * Takes the better part of an hour for each package. The reports are left in `tools/mutate/out`. Ends with 1 if fewer mutants
 * are killed than `THRESHOLD` percent.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const WORKSPACE = join(HERE, '..', '..');
const OUT = join(HERE, 'out');
const THRESHOLD = 90;

/** Pure packages: a mutant of code that maps memory may end the process, or the machine. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'index-allocator': ['src/**/*.ts'],
  // The command line is tested as it is built.
  layout: ['src/**/*.ts', '!src/cli/**', '!src/cli.ts'],
};

function mutate(name: string, parts: readonly string[]): boolean {
  const settings = {
    mutate: parts.length === 0 ? PACKAGES[name] : parts.map((part) => `src/**/*${part}*`),
    testRunner: 'vitest',
    plugins: [join(WORKSPACE, 'node_modules/@stryker-mutator/vitest-runner/dist/src/index.js')],
    vitest: { configFile: join(HERE, 'vitest.config.ts'), related: false },
    coverageAnalysis: 'perTest',
    // Those of constants at the top of a module need a new process each.
    ignoreStatic: true,
    concurrency: 1,
    tempDirName: '.stryker-tmp',
    // Mutants that loop for ever are ended by time.
    timeoutMS: 10_000,
    reporters: ['clear-text', 'html', 'json'],
    htmlReporter: { fileName: join(OUT, `${name}.html`) },
    jsonReporter: { fileName: join(OUT, `${name}.json`) },
    clearTextReporter: { allowColor: false, reportTests: false },
    thresholds: { high: THRESHOLD, low: THRESHOLD, break: THRESHOLD },
  };
  mkdirSync(OUT, { recursive: true });
  const file = join(OUT, `${name}.stryker.json`);
  writeFileSync(file, JSON.stringify(settings));
  const stryker = join(WORKSPACE, 'node_modules', '.bin', 'stryker');
  const { status } = spawnSync(stryker, ['run', file], {
    cwd: join(WORKSPACE, 'packages', name),
    stdio: 'inherit',
  });
  return status === 0;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { package: { type: 'string' } },
});
const names = values.package === undefined ? Object.keys(PACKAGES) : [values.package];
const unknown = names.find((name) => !(name in PACKAGES));
if (unknown !== undefined)
  throw new RangeError(`--package must be one of ${Object.keys(PACKAGES).join(', ')}, received "${unknown}"`);
const results = names.map((name) => mutate(name, positionals));
process.exitCode = results.every(Boolean) ? 0 : 1;
