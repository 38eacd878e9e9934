/** The test run of the packages that protection keys concern, as it is given to Node here or in the machine. */
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';

/** The machine has no compiler: its guests are compiled before, here. */
const NATIVE_GUEST = 'examples/native-guest';

/** Relative to the workspace. */
export const TESTED_FOLDERS: readonly string[] = ['packages/mpk', 'packages/memory-pool', NATIVE_GUEST];

/** Test files that are the same on any processor, and take minutes on an emulated one. */
const SAME_ANYWHERE: readonly string[] = [
  // memory-pool: reading modules, counting to a million, trying every order of steps, pools of one stripe, and what starts a process for
  // each test. Threads that share a pool have files of their own for its stripes.
  'test/{wasm,module}/**',
  'test/{fuzz,config,plan-and-pool,what-comes-back}.test.ts',
  'test/slots/views.test.ts',
  'test/**/{soak,every-call-fails,in-place-failures,short-of-memory,under-pressure,slab,leak-net,guards}.test.ts',
  'test/{cli,core/hand}/**',
  'test/moving/**',
  'test/shared/shared-threads.test.ts',
  'test/threads/cut-anywhere.test.ts',
  // native-guest: what compares with V8, and what starts many processes and threads.
  'test/{argon2-browser,generated-c,hashes,like-v8,source-map}.test.ts',
  'test/{leaks,living-together,shown,workers}.test.ts',
];

/** Turns "protection keys are not supported" into a failure, and tells the tests where they are. */
export const TEST_ENVIRONMENT = ['CI=true', 'NO_COLOR=1', 'GUARDSTRIPE_REQUIRE_MPK=1'];

/** Tells tests that the kernel's settings are theirs to change. */
export const OWN_MACHINE = 'GUARDSTRIPE_OWN_MACHINE=1';

/** For a kernel that has all that the tests know of. */
export const NO_SKIPS = 'GUARDSTRIPE_FORBID_SKIPS=1';

/** Every test is slow on an emulated processor; saying so for each hides the rest. */
const SLOW_MILLISECONDS = 300_000;

/** What follows `node`, where the workspace is the folder `workspace`; `numWorkers` test files run at the same time. */
export function testArguments(workspace: string, numWorkers: number, filters: readonly string[]): string[] {
  return [
    join(workspace, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    `--slowTestThreshold=${SLOW_MILLISECONDS}`,
    `--maxWorkers=${numWorkers}`,
    ...TESTED_FOLDERS.map((folder) => `--project=${basename(folder)}`),
    // What is asked for by name is run.
    ...(filters.length > 0 ? filters : SAME_ANYWHERE.map((files) => `--exclude=${files}`)),
  ];
}

/** Compiles the native guests; without tools that is said, and their tests are skipped. False where they must not be. */
export function compileGuests(workspace: string): boolean {
  const build = join(workspace, NATIVE_GUEST, 'build.ts');
  return spawnSync(process.execPath, [build], { stdio: 'inherit' }).status === 0;
}
