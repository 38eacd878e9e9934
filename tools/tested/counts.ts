/** How many tests a run of vitest had, from what its JSON reporter says. */

/** The part of the report that is read. */
export interface JsonReport {
  readonly startTime: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** A project's last run. */
export interface Counts {
  /** The day, `2026-11-26`. */
  readonly day: string;
  readonly files: number;
  readonly passed: number;
  /** Not run on that machine, each with its reason in the run's last lines. */
  readonly skipped: number;
}

/** @throws `Error` if a test failed: that is no run to tell of */
export function countRun(report: JsonReport): Counts {
  const states = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ status }) => status),
  );
  if (states.includes('failed')) throw new Error('A test failed');
  const passed = states.filter((state) => state === 'passed').length;
  return {
    day: new Date(report.startTime).toISOString().slice(0, 10),
    files: report.testResults.length,
    passed,
    skipped: states.length - passed,
  };
}
