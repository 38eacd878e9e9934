/** Reads what the machine sent back. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_STATUS_FILE } from './guest-init.ts';
import { OUT } from './paths.ts';

export function emptyOut(): void {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
}

/** Unpacks the machine's archive into `OUT` and returns the command's exit status; `undefined` if nothing whole came back. */
export function unpackResults(archive: string): number | undefined {
  try {
    execFileSync('tar', ['-xzf', archive, '-C', OUT], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const file = join(OUT, EXIT_STATUS_FILE);
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
