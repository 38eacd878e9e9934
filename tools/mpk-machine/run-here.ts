/** Runs the tests on this computer, which has protection keys of its own. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { OUT, WORKSPACE } from './paths.ts';
import { emptyOut, concludeTests } from './results.ts';
import { compileGuests, TEST_ENVIRONMENT, testRuns } from './test-commands.ts';

/** Returns the first exit status that is not 0. */
export function runTestsHere(filters: readonly string[]): number {
  emptyOut();
  if (!compileGuests(WORKSPACE)) return 1;
  const environment = TEST_ENVIRONMENT.map((assignment) => assignment.split('=', 2) as [string, string]);
  const target = { workspace: WORKSPACE, out: OUT, numWorkers: availableParallelism() };
  let status = 0;
  for (const run of testRuns(target, filters)) {
    const child = spawnSync(process.execPath, run.args, {
      cwd: join(WORKSPACE, run.folder),
      stdio: 'inherit',
      env: { ...process.env, ...Object.fromEntries(environment) },
    });
    if (status === 0) status = child.status ?? 1;
  }
  return concludeTests(status);
}
