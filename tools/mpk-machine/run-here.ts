/** Runs the tests on this computer, which has protection keys of its own. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { WORKSPACE } from './paths.ts';
import { compileGuests, TEST_ENVIRONMENT, testArguments } from './test-commands.ts';

/** Returns vitest's exit status. */
export function runTestsHere(filters: readonly string[]): number {
  if (!compileGuests(WORKSPACE)) return 1;
  const environment = TEST_ENVIRONMENT.map((assignment) => assignment.split('=', 2) as [string, string]);
  const { status } = spawnSync(process.execPath, testArguments(WORKSPACE, availableParallelism(), filters), {
    cwd: WORKSPACE,
    stdio: 'inherit',
    env: { ...process.env, ...Object.fromEntries(environment) },
  });
  return status ?? 1;
}
