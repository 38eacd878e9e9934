import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Swaps to a file of our own while some tests run. */
export class SwapFile implements Disposable {
  /** Why the system does not swap to it; `undefined` if it does. */
  readonly obstacle: string | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), 'guardstripe-swap-'));
  readonly #path = join(this.#directory, 'file');

  constructor(byteLength: number) {
    this.obstacle = this.#open(byteLength);
  }

  close(): void {
    if (this.obstacle === undefined) this.#command('swapoff');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(byteLength: number): string | undefined {
    if (process.getuid?.() !== 0) return 'only root may swap to a file';
    // Written and not only lengthened: a swap file must have no holes.
    writeFileSync(this.#path, Buffer.alloc(byteLength), { mode: 0o600 });
    for (const command of ['mkswap', 'swapon']) {
      const { error, status, stderr } = this.#command(command);
      if (error !== undefined || status !== 0) return `${command}: ${error?.message ?? stderr.trim()}`;
    }
    return undefined;
  }

  #command(name: string) {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    return spawnSync(name, [this.#path], { encoding: 'utf8', env });
  }
}
