/**
 * Adds up the JSON reports that vitest wrote in this workspace and prints one plain line:
 * `N passed, N failed, N skipped`. Fails if a package with tests left no report, or anything failed.
 *
 * With `--forget` it only removes the reports of an earlier run, so that none of them can stand in for one that is missing.
 */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sumLine, sumReports } from './test-reports/sum.ts';
import { testedFolders } from './test-reports/tested-folders.ts';

const wanted = testedFolders('.').map((folder) => join(folder, 'test-results.json'));
// Only there if these tests were run: on a machine with protection keys, and on other versions of Node.
const elsewhere = globSync('tools/{mpk-machine,node-versions}/out/test-results-*.json').toSorted();
const reports = [...wanted, ...elsewhere];

if (process.argv.includes('--forget')) {
  for (const file of reports) rmSync(file, { force: true });
} else {
  const sum = sumReports(reports);
  console.log(sumLine(sum));
  process.exitCode = sum.success ? 0 : 1;
}
