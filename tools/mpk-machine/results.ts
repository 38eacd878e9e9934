/** Reads what the machine sent back, and the reports of vitest among it. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sumLine, sumReports } from '../test-reports/sum.ts';
import { EXIT_STATUS_FILE } from './guest-init.ts';
import { OUT } from './paths.ts';

export function emptyOut(): void {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
}

export function reportFileName(packageName: string): string {
  return `test-results-${packageName}.json`;
}

/** Unpacks the machine's archive into `OUT` and returns the commands' exit status; `undefined` if nothing whole came back. */
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

/**
 * Prints the sum over all reports in `OUT`, such as `protection keys: 312 passed, 0 failed, 2 skipped`, and returns the exit
 * status of the whole: the commands' own, or 1 if no test ran at all.
 */
export function concludeTests(status: number): number {
  const sum = sumReports(globSync(join(OUT, reportFileName('*'))));
  console.log(`protection keys: ${sumLine(sum)}`);
  if (status !== 0 || sum.passed + sum.failed > 0) return status;
  console.error('no test ran: no file of these packages matches');
  return 1;
}
