/** Tests that need more of the machine than others: they say why they do not run, and fail where that is forbidden. */
import type { TestContext } from 'vitest';

/** Set by CI: what cannot be tested is an error there. */
const FORBIDS_SKIPS = process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1';

/** A test that runs if `obstacle` is `undefined`; else it is skipped with the obstacle as its note, or fails. */
export function needing(obstacle: string | undefined, test: () => void | Promise<void>) {
  return (context: TestContext): void | Promise<void> => {
    if (obstacle === undefined) return test();
    if (FORBIDS_SKIPS) throw new Error(`Cannot be tested here: ${obstacle}`);
    return context.skip(obstacle);
  };
}
