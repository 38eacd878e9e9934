/** Adds up reports that vitest wrote in JSON. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The parts of vitest's JSON report that are read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

export interface Sum {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Every report is there, says that all went well, and something passed. */
  readonly success: boolean;
}

/** Says on standard error which reports are missing. */
export function sumReports(files: readonly string[]): Sum {
  const missing = files.filter((file) => !existsSync(file));
  for (const file of missing) console.error(`${dirname(file)}: no test report; did its tests start?`);
  const reports = files
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report);
  const total = (count: (report: Report) => number): number =>
    reports.reduce((sum, report) => sum + count(report), 0);
  const passed = total((report) => report.numPassedTests);
  const failed = total((report) => report.numFailedTests);
  return {
    passed,
    failed,
    skipped: total((report) => report.numPendingTests + report.numTodoTests),
    success: missing.length === 0 && failed === 0 && passed > 0 && reports.every(({ success }) => success),
  };
}

/** `N passed, N failed, N skipped` */
export function sumLine({ passed, failed, skipped }: Sum): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
