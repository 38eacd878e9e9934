/**
 * Adds up the JSON reports that vitest wrote in this workspace and prints one plain line:
 * `N passed, N failed, N skipped`. Fails if a package with tests left no report, or anything failed.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
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
let passed = 0;
let failed = 0;
let skipped = 0;
let whole = configs.length > 0;

for (const config of configs.toSorted()) {
  const file = join(dirname(config), 'test-results.json');
  if (!existsSync(file)) {
    console.error(`${dirname(config)}: no test report; did its tests start?`);
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
