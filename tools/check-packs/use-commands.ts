/** Runs the commands of the installed packages, by their own names and by `npx` with the package's name. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { PackedPackage } from './packed-package.ts';

interface Run {
  readonly args: readonly string[];
  readonly status: number;
  /** What standard output must look like. */
  readonly stdout: RegExp;
}

/** By the command's name. */
const RUNS: Readonly<Record<string, readonly Run[]>> = {
  'slab-plan': [
    { args: ['--help'], status: 0, stdout: /^Usage: slab-plan / },
    { args: ['--total-memories', '10', '--json'], status: 0, stdout: /^\{[\s\S]*"fits": true,[\s\S]*\}\n$/ },
    {
      args: ['--total-memories', '10000000', '--json'],
      status: 1,
      stdout: /^\{[\s\S]*"fits": false,[\s\S]*\}\n$/,
    },
    { args: ['--no-such-option'], status: 2, stdout: /^$/ },
  ],
  'guardstripe-memory-pool': [
    { args: ['--help'], status: 0, stdout: /^Usage: guardstripe-memory-pool / },
    { args: ['doctor', '--json'], status: 0, stdout: /^\{\n {2}"works": true,[\s\S]*\}\n$/ },
    { args: ['no-such-command'], status: 2, stdout: /^$/ },
  ],
};

/** Returns how many runs there were. */
export function useCommands(packages: readonly PackedPackage[], project: string): number {
  let count = 0;
  for (const { manifest } of packages) {
    for (const command of Object.keys(manifest.bin ?? {})) {
      const [first, ...others] = RUNS[command] ?? [];
      if (first === undefined) throw new Error(`${manifest.name}: nobody tries the command ${command}`);
      // As the READMEs say it: npx finds the one command of the package. It must not look further than the project.
      tryOut(project, ['npx', '--yes=false', manifest.name, ...first.args], first);
      for (const run of [first, ...others])
        tryOut(project, [join(project, 'node_modules', '.bin', command), ...run.args], run);
      count += others.length + 2;
    }
  }
  return count;
}

function tryOut(cwd: string, [file = '', ...args]: readonly string[], wanted: Run): void {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status === wanted.status && wanted.stdout.test(stdout)) return;
  throw new Error(
    `${file} ${args.join(' ')} ended with ${status}, not ${wanted.status}, or did not print ${wanted.stdout}:\n${stdout}${stderr}`,
    { cause: error },
  );
}
