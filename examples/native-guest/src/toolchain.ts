/** The programs that turn a module into a shared library: wasm2c and its runtime, and a C compiler. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian's wabt has the runtime's source here. */
const RUNTIME_FOLDERS = ['/usr/share/wabt/wasm2c', '/usr/local/share/wabt/wasm2c'];

/** Something that must be installed. The message is one line. */
export class MissingToolError extends Error {
  override readonly name = 'MissingToolError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_MISSING_TOOL';
}

/** wasm2c's runtime in C, as it was packaged. */
export function runtimeSource(): string {
  const folder = RUNTIME_FOLDERS.find((folder) => existsSync(join(folder, 'wasm-rt-impl.c')));
  if (folder === undefined) throw missing("wasm2c's runtime, wasm-rt-impl.c,");
  return join(folder, 'wasm-rt-impl.c');
}

/** Throws {@link MissingToolError} for the first program that is not there. */
export function requireTools(): void {
  for (const program of ['wasm2c', 'wat2wasm', 'cc']) if (!isOnPath(program)) throw missing(program);
  runtimeSource();
}

/** Runs a program; what it says on standard error is in the message if it fails. */
export async function tool(program: string, args: readonly string[]): Promise<void> {
  try {
    await run(program, [...args], { maxBuffer: 2 ** 26 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(program);
    throw error;
  }
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function missing(what: string): MissingToolError {
  return new MissingToolError(
    `${what} is not installed (apt-get install --no-install-recommends wabt gcc libc6-dev)`,
  );
}
