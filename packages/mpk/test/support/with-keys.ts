/** Tests that need protection keys: run where there are some, skipped aloud elsewhere, and never skipped where that is forbidden. */
import { describe, expect, it } from 'vitest';
import { isSupported, supportReason } from '../../src/index.js';

/** Set where there must be keys, so that a machine that has them cannot pass by testing nothing. */
const required = process.env['GUARDSTRIPE_REQUIRE_MPK'] === '1';

declare module 'vitest' {
  interface TaskMeta {
    /** Why tests are skipped; the summary says it. */
    obstacle?: string | undefined;
  }
}

/** `describe`, for tests that need keys. */
export function describeWithKeys(name: string, body: () => void): void {
  if (isSupported()) {
    describe(name, body);
  } else if (required) {
    it(`${name}: protection keys are required (GUARDSTRIPE_REQUIRE_MPK=1)`, () => {
      expect.unreachable(supportReason());
    });
  } else {
    describe.skip(name, { meta: { obstacle: supportReason() } }, body);
  }
}
