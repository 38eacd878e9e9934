/** Runs a fixture as a process of its own: for what ends a process, and for what only a fresh one can show. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runFixture(
  name: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Ended {
  const file = join(import.meta.dirname, '..', 'fixtures', name);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, file, ...args], {
    encoding: 'utf8',
    // Few threads, so that a fixture can keep all of them busy.
    env: { ...process.env, UV_THREADPOOL_SIZE: '2' },
  });
  return { status, signal, stdout, stderr };
}

/** What a fixture that lived printed: one JSON value. */
export function answerOf(
  name: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): unknown {
  const ended = runFixture(name, args, nodeArgs);
  if (ended.status !== 0)
    throw new Error(`${name} ended with ${ended.signal ?? ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}
