/** Compiles and runs the C reference. It runs as a process of its own and takes its turns by a line in and a line out. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Contender } from './measure.ts';

const SOURCE = fileURLToPath(new URL('../c/recycle.c', import.meta.url));

/** What one iteration of the program does; `c/recycle.c` says what each means. */
export type CMode = 'drop' | 'scan' | 'write' | 'touch';

/** The compiled program. */
export interface CProgram {
  start(memoryBytes: number, imageBytes: number): CProcess;
  /** Removes the executable. */
  remove(): void;
}

/** Compiles the program, or says in one line why not and returns `undefined`. */
export function compile(): CProgram | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'guardstripe-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, 'recycle');
  const cc = spawnSync('cc', ['-O2', '-o', path, SOURCE], { encoding: 'utf8' });
  if (cc.status === 0) {
    return { start: (memoryBytes, imageBytes) => new CProcess(path, memoryBytes, imageBytes), remove };
  }
  remove();
  const reason = cc.error === undefined ? cc.stderr.trim().split('\n')[0] : 'there is no C compiler (cc)';
  console.log(`The C program is left out: ${reason}`);
  return undefined;
}

/** The running program, with one memory. */
export class CProcess {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string, memoryBytes: number, imageBytes: number) {
    this.#process = spawn(path, [String(memoryBytes), String(imageBytes)]);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** A contender that writes to the pages and resets the memory in one way. */
  contender(name: string, mode: CMode, pages: readonly number[]): Contender {
    return { name, time: (iterations) => this.run(mode, iterations, pages) };
  }

  async run(mode: CMode, iterations: number, pages: readonly number[] = []): Promise<number> {
    this.#process.stdin.write(`${[mode, iterations, ...pages].join(' ')}\n`);
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error(`The C program ended in the middle of ${mode}`);
    return Number(answer.value);
  }

  end(): void {
    this.#process.stdin.end();
  }
}
