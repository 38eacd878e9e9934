/**
 * Ends a run of vitest with why tests were skipped, and one plain line, `N passed, N failed, N skipped`, which the gate adds
 * up over all runs.
 */
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export class PlainLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string): TestCase[] => tests.filter((test) => test.result().state === state);
    // What failed outside of a test is a failure too: the line must not say 0 where the run does not succeed.
    const broken = modules.filter((module) => !module.ok() && noneFailed(module)).length;
    const failed = inState('failed').length + broken + unhandledErrors.length;
    const skipped = inState('skipped');

    const reasons = Object.entries(Object.groupBy(skipped, reasonOf));
    for (const [reason, some] of reasons) console.log(`${some?.length} skipped: ${reason}`);
    console.log(`${inState('passed').length} passed, ${failed} failed, ${skipped.length} skipped`);
  }
}

/** What the test said to `skip()`, or its suite in the metadata; where neither did, the file's name helps to find out. */
function reasonOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === 'skipped' ? result.note : undefined;
  const { obstacle } = test.meta() as { readonly obstacle?: string };
  return note ?? obstacle ?? `in ${test.module.relativeModuleId}`;
}

function noneFailed(module: TestModule): boolean {
  return [...module.children.allTests('failed')].length === 0;
}
