/** Builds and drives the Rust program of this folder. It is a process of its own and takes its turns by a line in and a line out. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const HERE = import.meta.dirname;
/** Where cargo itself would build. */
const TARGET = process.env['CARGO_TARGET_DIR'] ?? join(HERE, 'target');
/** The program, built or not. */
export const EXECUTABLE = join(TARGET, 'release', 'guardstripe-beside-wasmtime');

/** Builds the program, which takes minutes the first time; or says in one line why not and returns `undefined`. */
export function buildProgram(): string | undefined {
  console.log('Building the program on the wasmtime crate (the first time it takes some minutes) ...');
  const cargo = spawnSync('cargo', ['build', '--release', '--locked', '--quiet'], {
    cwd: HERE,
    encoding: 'utf8',
  });
  if (cargo.status === 0) return EXECUTABLE;
  const reason =
    cargo.error === undefined ? cargo.stderr.trim().split('\n').at(-1) : 'there is no Rust here (cargo)';
  console.log(`Wasmtime is left out: ${reason}`);
  return undefined;
}

/** The exact version of the crate, from the lock file. */
export function wasmtimeVersion(): string {
  const lock = readFileSync(join(HERE, 'Cargo.lock'), 'utf8');
  return /name = "wasmtime"\nversion = "([^"]+)"/.exec(lock)?.[1] ?? 'unknown';
}

/** Wasmtime answered `error ...`. */
export class WasmtimeError extends Error {}

/** The running program. */
export class Wasmtime implements Disposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'guardstripe-wasmtime-'));
  #files = 0;

  constructor(executable: string) {
    this.#process = spawn(executable);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a command and resolves to its answer. */
  async ask(command: string): Promise<string> {
    this.#process.stdin.write(`${command}\n`);
    const { done, value } = await this.#lines.next();
    if (done === true) throw new WasmtimeError(`the program ended in the middle of: ${command.slice(0, 80)}`);
    if (value.startsWith('error ')) throw new WasmtimeError(value.slice('error '.length));
    return value;
  }

  /** Makes an engine; resolves to the nanoseconds that took. */
  async settings(settings: Readonly<Record<string, string | number | boolean>>): Promise<number> {
    const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    return Number(await this.ask(`settings ${words.join(' ')}`));
  }

  /** Gives the engine one more module. */
  async module(bytes: Uint8Array): Promise<void> {
    await this.ask(`module ${this.file(bytes)}`);
  }

  /** A file with these bytes, which goes with the program. */
  file(bytes: Uint8Array): string {
    const path = join(this.#folder, `${this.#files++}.wasm`);
    writeFileSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
