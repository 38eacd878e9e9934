import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a child process ended, and what it printed. */
export interface ChildResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the programs of a folder are run. */
export interface FixtureOptions {
  /** Of Node, before those of a single run. */
  readonly nodeArgs?: readonly string[];
  /** Over the environment of the tests. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** After which a run fails, for it hangs. Default: never. */
  readonly timeoutMs?: number;
}

/** Runs a program by its file's name. */
type Run<Result> = (name: string, args?: readonly string[], nodeArgs?: readonly string[]) => Result;

/**
 * Programs of a folder, each run as a process of its own on this Node: for what ends a process, and for what only a fresh one can
 * show. They import built packages by their names.
 *
 * @param folder - a URL that ends with a slash
 */
export function fixturesOf(
  folder: URL,
  { nodeArgs: always = [], env: changes = {}, timeoutMs = 0 }: FixtureOptions = {},
): {
  /** Runs one to its end, whichever that is. */
  readonly runFixture: Run<ChildResult>;
  /** The JSON that one printed; an error with what it complained of, if it did not end well. */
  readonly fixtureJson: Run<unknown>;
} {
  const env = { ...process.env, ...changes };
  const runFixture: Run<ChildResult> = (name, args = [], nodeArgs = []) => {
    const script = fileURLToPath(new URL(name, folder));
    const { status, signal, stdout, stderr, error } = spawnSync(
      process.execPath,
      [...always, ...nodeArgs, script, ...args],
      { encoding: 'utf8', env, timeout: timeoutMs },
    );
    if (error !== undefined) throw error;
    return { status, signal, stdout, stderr };
  };
  const fixtureJson: Run<unknown> = (name, args, nodeArgs) => {
    const { status, signal, stdout, stderr } = runFixture(name, args, nodeArgs);
    if (status !== 0) throw new Error(`${name} ended with ${signal ?? status}:\n${stderr}`);
    return JSON.parse(stdout);
  };
  return { runFixture, fixtureJson };
}
