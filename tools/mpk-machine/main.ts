/**
 * Runs the tests that need memory protection keys: on this computer if it has them, else in an emulated one. README.md
 * beside this file says what is needed and what comes out.
 */
import { hasProtectionKeys } from './host-programs.ts';
import { MissingPart } from './missing.ts';
import { type Job, type MachineOptions, parseOptions, USAGE } from './options.ts';
import { runTestsHere } from './run-here.ts';
import { runScriptInside, runTestsInside } from './run-inside.ts';

async function runJob(job: Job, machine: MachineOptions): Promise<number> {
  switch (job.kind) {
    case 'help':
      console.log(USAGE);
      return 0;
    case 'script':
      return runScriptInside(job.file, job.args, machine);
    case 'tests':
      if (hasProtectionKeys() && !job.emulate) return runTestsHere(job.filters);
      return runTestsInside(job.filters, machine);
  }
}

/** A part that is missing skips the tests, aloud; a script that was asked for cannot be skipped, nor can tests in CI. */
function onMissingPart(job: Job, error: MissingPart): number {
  if (job.kind === 'tests' && process.env['GUARDSTRIPE_FORBID_SKIPS'] !== '1') {
    console.log(`MPK tests skipped: ${error.message}`);
    return 0;
  }
  console.error(`MPK tests cannot run: ${error.message}`);
  return 1;
}

async function main(argv: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parseOptions>;
  try {
    parsed = parseOptions(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  try {
    return await runJob(parsed.job, parsed.machine);
  } catch (error) {
    if (error instanceof MissingPart) return onMissingPart(parsed.job, error);
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
