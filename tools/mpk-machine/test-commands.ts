/** The test runs of the packages that protection keys concern, as they are given to Node here or in the machine. */
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { reportFileName } from './results.ts';

/** The machine has no compiler: its guests are compiled before, here. */
const NATIVE_GUEST = 'examples/native-guest';

interface TestedPackage {
  /** Relative to the workspace. */
  readonly folder: string;
  /** Test files that are the same on any processor, and take minutes on an emulated one. */
  readonly sameAnywhere: readonly string[];
}

const PACKAGES: readonly TestedPackage[] = [
  { folder: 'packages/mpk', sameAnywhere: [] },
  // Reading modules, counting to a million, pools of one stripe, and what starts a process for each test.
  {
    folder: 'packages/memory-pool',
    sameAnywhere: ['test/wasm/**', 'test/{soak,every-call-fails,slab,leak-net,guards,cli}.test.ts'],
  },
  // What compares with V8, and what starts many processes and threads.
  {
    folder: NATIVE_GUEST,
    sameAnywhere: [
      'test/{argon2-browser,generated-c,hashes,like-v8,source-map}.test.ts',
      'test/{leaks,living-together,shown,workers}.test.ts',
    ],
  },
];

/** Turns "protection keys are not supported" into a failure, and tells the tests where they are. */
export const TEST_ENVIRONMENT = ['CI=true', 'NO_COLOR=1', 'GUARDSTRIPE_REQUIRE_MPK=1'];

/** An emulated processor is some ten times slower; a test that hangs must still end before the machine's time limit. */
const TEST_TIMEOUT_MILLISECONDS = 300_000;

export interface TestRun {
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

export function testRuns(target: TestTarget, filters: readonly string[]): readonly TestRun[] {
  return PACKAGES.map(({ folder, sameAnywhere }) => ({
    folder,
    args: [
      join(target.workspace, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${join(target.out, reportFileName(basename(folder)))}`,
      `--testTimeout=${TEST_TIMEOUT_MILLISECONDS}`,
      `--hookTimeout=${TEST_TIMEOUT_MILLISECONDS}`,
      // Every test is slow there; saying so for each hides the rest.
      `--slowTestThreshold=${TEST_TIMEOUT_MILLISECONDS}`,
      `--maxWorkers=${target.numWorkers}`,
      ...sameAnywhere.map((files) => `--exclude=${files}`),
      ...(filters.length > 0 ? ['--passWithNoTests', ...filters] : []),
    ],
  }));
}

/** Compiles the native guests; without tools that is said, and their tests are skipped. False where they must not be. */
export function compileGuests(workspace: string): boolean {
  const build = join(workspace, NATIVE_GUEST, 'build.ts');
  return spawnSync(process.execPath, [build], { stdio: 'inherit' }).status === 0;
}
