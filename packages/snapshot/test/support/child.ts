import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The JSON that a program of `test/fixtures` printed. It imports the built package by its own name. */
export function fixtureJson(
  name: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): unknown {
  const script = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--no-warnings', ...nodeArgs, script, ...args],
    { encoding: 'utf8', env, timeout: 240_000 },
  );
  if (status !== 0) throw new Error(`${name} ended with ${signal ?? status}:\n${stderr}`);
  return JSON.parse(stdout);
}
