/** The programs of `test/fixtures`. */
import { fixturesOf } from '@guardstripe/test-support';

export const { runFixture, fixtureJson } = fixturesOf(new URL('../fixtures/', import.meta.url), {
  env: { NODE_OPTIONS: undefined },
  timeoutMs: 110_000,
});
