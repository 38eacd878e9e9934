import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'guardstripe-swap-';

/** Swaps to a file of our own while some tests run, where nothing is swapped to already. */
export class SwapFile implements Disposable {
  /** Why the system does not swap to it; `undefined` if it does. */
  readonly obstacle: string | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), PREFIX));
  readonly #path = join(this.#directory, 'file');
  #isOpen = false;

  constructor(byteLength: number) {
    this.obstacle = this.#open(byteLength);
  }

  /** @throws `Error` if the system goes on swapping to it: the file stays, so that somebody can end that by its name */
  close(): void {
    const refusal = this.#isOpen ? this.#refusalOf('swapoff') : undefined;
    if (refusal !== undefined) throw new Error(`The swap file ${this.#path} is still in use: ${refusal}`);
    this.#isOpen = false;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(byteLength: number): string | undefined {
    if (swapsAlready()) return undefined;
    if (process.getuid?.() !== 0) return 'only root may swap to a file';
    // Written and not only lengthened: a swap file must have no holes.
    writeFileSync(this.#path, Buffer.alloc(byteLength), { mode: 0o600 });
    for (const command of ['mkswap', 'swapon']) {
      const refusal = this.#refusalOf(command);
      if (refusal !== undefined) return refusal;
    }
    this.#isOpen = true;
    return undefined;
  }

  /** Runs a command on the file; returns why it did not work, nothing if it did. */
  #refusalOf(command: string): string | undefined {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    const { error, status, stderr } = spawnSync(command, [this.#path], { encoding: 'utf8', env });
    if (error === undefined && status === 0) return undefined;
    return `${command}: ${error?.message ?? stderr.trim()}`;
  }
}

/** But for files of other tests, which go when those end. The first line is a heading. */
function swapsAlready(): boolean {
  const [, ...lines] = readFileSync('/proc/swaps', 'latin1').trim().split('\n');
  return lines.some((line) => !line.includes(PREFIX));
}
