/**
 * Adds up the JSON reports that vitest wrote in this workspace and prints one plain line:
 * `N passed, N failed, N skipped`. Fails if a package with tests left no report, or anything failed.
 *
 * With `--forget` it only removes the reports of an earlier run, so that none of them can stand in for one that is missing.
 */
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

const configs = globSync([
  'packages/*/vitest.config.ts',
  'examples/*/vitest.config.ts',
  'docs/vitest.config.ts',
]);
const wanted = configs.toSorted().map((config) => join(dirname(config), 'test-results.json'));
// Only there if the tests that need protection keys were run on their machine.
const onOtherMachine = globSync('tools/mpk-machine/out/test-results-*.json').toSorted();
const reports = [...wanted, ...onOtherMachine];

if (process.argv.includes('--forget')) for (const file of reports) rmSync(file, { force: true });
else sum();

function sum(): void {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  let whole = reports.length > 0;

  for (const file of reports) {
    if (!existsSync(file)) {
      console.error(`${dirname(file)}: no test report; did its tests start?`);
      whole = false;
      continue;
    }
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    skipped += report.numPendingTests + report.numTodoTests;
    whole &&= report.success;
  }

  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = whole && failed === 0 && passed > 0 ? 0 : 1;
}
