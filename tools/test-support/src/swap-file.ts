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

  close(): void {
    if (this.#isOpen) this.#command('swapoff');
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
      const { error, status, stderr } = this.#command(command);
      if (error !== undefined || status !== 0) return `${command}: ${error?.message ?? stderr.trim()}`;
    }
    this.#isOpen = true;
    return undefined;
  }

  #command(name: string) {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    return spawnSync(name, [this.#path], { encoding: 'utf8', env });
  }
}

/** But for files of other tests, which go when those end. The first line is a heading. */
function swapsAlready(): boolean {
  const [, ...lines] = readFileSync('/proc/swaps', 'latin1').trim().split('\n');
  return lines.some((line) => !line.includes(PREFIX));
}
