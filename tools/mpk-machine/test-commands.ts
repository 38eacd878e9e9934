/** The test runs of the packages that protection keys concern, as they are given to Node here or in the machine. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { reportFileName } from './results.ts';

const PACKAGES = ['mpk', 'memory-pool'];

/** Turns "protection keys are not supported" into a failure, and tells the tests where they are. */
export const TEST_ENVIRONMENT = ['CI=true', 'NO_COLOR=1', 'GUARDSTRIPE_REQUIRE_MPK=1'];

/** An emulated processor is some ten times slower; a test that hangs must still end before the machine's time limit. */
const TEST_TIMEOUT_MILLISECONDS = 300_000;

/** Reading modules and counting a million times are the same on any processor, and take minutes on an emulated one. */
const SAME_ANYWHERE = ['test/wasm/**', 'test/soak*'];

export interface TestRun {
  readonly packageName: string;
  /** Relative to the workspace. */
  readonly folder: string;
  /** What follows `node`; paths are absolute where the run takes place. */
  readonly args: readonly string[];
}

/** Where the runs take place. */
export interface TestTarget {
  readonly workspace: string;
  /** The folder for the reports. */
  readonly out: string;
  /** Test files that run at the same time. */
  readonly numWorkers: number;
}

export function testRuns(
  workspace: string,
  target: TestTarget,
  filters: readonly string[],
): readonly TestRun[] {
  const withTests = PACKAGES.filter(
    (name) => globSync(join(workspace, 'packages', name, 'test', '**', '*.test.ts')).length > 0,
  );
  return withTests.map((packageName) => ({
    packageName,
    folder: join('packages', packageName),
    args: [
      join(target.workspace, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${join(target.out, reportFileName(packageName))}`,
      `--testTimeout=${TEST_TIMEOUT_MILLISECONDS}`,
      `--hookTimeout=${TEST_TIMEOUT_MILLISECONDS}`,
      // Every test is slow there; saying so for each hides the rest.
      `--slowTestThreshold=${TEST_TIMEOUT_MILLISECONDS}`,
      `--maxWorkers=${target.numWorkers}`,
      ...SAME_ANYWHERE.map((files) => `--exclude=${files}`),
      ...(filters.length > 0 ? ['--passWithNoTests', ...filters] : []),
    ],
  }));
}
