/** Compiles and runs the C reference. It runs as a process of its own and takes its turns by a line in and a line out. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Contender } from './measure.ts';

/** What one iteration of a program does; `c/recycle.c` and `c/snapshot.c` say what each means. */
export type CMode = 'drop' | 'scan' | 'write' | 'kept' | 'touch' | 'watch' | 'copy';

/** How the pages of one iteration follow from those of the last; for `c/recycle.c`. */
export interface CVariation {
  /** Pages further. */
  readonly shift: number;
  /** Whether every page is read first. */
  readonly read: boolean;
}

/** As a third size of `c/recycle.c`: it counts its own CPU time. */
export const CPU_TIME = 1;

/** The compiled program. */
export interface CProgram {
  start(...sizes: readonly number[]): CProcess;
  /** Removes the executable. */
  remove(): void;
}

/** Compiles a program of `c/`, or says in one line why not and returns `undefined`. */
export function compile(name = 'recycle'): CProgram | undefined {
  const source = fileURLToPath(new URL(`../c/${name}.c`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'guardstripe-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, name);
  const cc = spawnSync('cc', ['-O2', '-o', path, source], { encoding: 'utf8' });
  if (cc.status === 0) {
    return { start: (...sizes) => new CProcess(path, sizes), remove };
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

  constructor(path: string, sizes: readonly number[]) {
    this.#process = spawn(path, sizes.map(String));
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** A contender that writes to the pages and resets the memory in one way. */
  contender(name: string, mode: CMode, pages: readonly number[], variation?: CVariation): Contender {
    return { name, time: (iterations) => this.run(mode, iterations, pages, variation) };
  }

  async run(
    mode: CMode,
    iterations: number,
    pages: readonly number[] = [],
    variation?: CVariation,
  ): Promise<number> {
    const what = variation === undefined ? mode : `${mode}:${variation.shift}:${Number(variation.read)}`;
    this.#process.stdin.write(`${[what, iterations, ...pages].join(' ')}\n`);
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error(`The C program ended in the middle of ${mode}`);
    return Number(answer.value);
  }

  end(): void {
    this.#process.stdin.end();
  }
}
