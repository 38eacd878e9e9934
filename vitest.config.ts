/**
 * The tests of the whole workspace. Each folder with a `test` folder is a project, named after its folder:
 *
 *     vitest run                             # all of them
 *     vitest run --project layout            # one; `pnpm test` in the package's folder does the same
 */
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './tools/longest-first.ts';
import { PlainLineReporter } from './tools/plain-line-reporter.ts';

const WORKSPACE = import.meta.dirname;
/** Those without state of the process: their test files share one, which saves its start and the imports for each. */
const STATELESS: ReadonlySet<string> = new Set(['common', 'docs', 'index-allocator', 'layout']);
/** Runs once before a project's tests, where there is one. */
const setupOf = (folder: string): string => join(WORKSPACE, folder, 'test', 'support', 'setup.ts');

/** Warnings of ours that tests bring about, and hear as events: printed, they would only look as if something were wrong. */
const UNPRINTED_WARNINGS = [
  'GUARDSTRIPE_MEMORY_RETIRED',
  'GUARDSTRIPE_MMAP_GUARD_LOST',
  'GUARDSTRIPE_MMAP_LEAK',
  'GUARDSTRIPE_MMAP_VIEW_STOLEN',
  'GUARDSTRIPE_POOL_COOLING',
];

const foldersIn = (parent: string): string[] =>
  readdirSync(join(WORKSPACE, parent)).map((name) => join(parent, name));

const tested = [...foldersIn('packages'), ...foldersIn('examples'), ...foldersIn('tools'), 'docs']
  .filter((folder) => existsSync(join(WORKSPACE, folder, 'test')))
  .toSorted();

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', new PlainLineReporter()],
    // One more than there are cores: many tests wait for timers, threads and collectors, and no core is to wait with them.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // Tests of a file that run at once start a process each.
    maxConcurrency: 2 * availableParallelism(),
    // Hundreds of child processes load the same programs: V8 compiles them, and Node takes their types away, once.
    env: { NODE_COMPILE_CACHE: join(WORKSPACE, 'node_modules', '.cache', 'node-compile') },
    execArgv: UNPRINTED_WARNINGS.map((code) => `--disable-warning=${code}`),
    // Far more than any test takes: machines under load are ten times slower than at rest.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: tested.map((folder) => ({
      extends: true as const,
      root: join(WORKSPACE, folder),
      test: {
        name: basename(folder),
        isolate: !STATELESS.has(basename(folder)),
        globalSetup: [setupOf(folder)].filter((file) => existsSync(file)),
      },
    })),
  },
});
