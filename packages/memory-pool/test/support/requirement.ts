/** Tests that need more of the machine than others: they say why they do not run, and fail where that is forbidden. */
import { it } from 'vitest';

/** Set by CI: what cannot be tested is an error there. */
const FORBIDS_SKIPS = process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1';

/** A test that runs if `obstacle` is `undefined`; else it is skipped with the obstacle in its title, or fails. */
export function itUnless(obstacle: string | undefined, title: string, test: () => void | Promise<void>): void {
  if (obstacle === undefined) {
    it(title, test);
  } else if (FORBIDS_SKIPS) {
    it(title, () => {
      throw new Error(`Cannot be tested here: ${obstacle}`);
    });
  } else {
    console.warn(`skipped: ${title}: ${obstacle}`);
    it.skip(`${title} (${obstacle})`, test);
  }
}
