import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a child process ended. */
export interface ChildResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script of `test/fixtures` on this Node. It imports the built package by its own name. */
export function runFixture(
  name: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): ChildResult {
  const script = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { status, signal, stdout, stderr, error } = spawnSync(
    process.execPath,
    [...nodeArgs, script, ...args],
    {
      encoding: 'utf8',
      env,
      timeout: 110_000,
    },
  );
  if (error !== undefined) throw error;
  return { status, signal, stdout, stderr };
}

/** The JSON that a fixture printed; its error output if it did not end well. */
export function fixtureJson(
  name: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): unknown {
  const result = runFixture(name, args, nodeArgs);
  if (result.status !== 0)
    throw new Error(`${name} ended with ${result.signal ?? result.status}:\n${result.stderr}`);
  return JSON.parse(result.stdout);
}
