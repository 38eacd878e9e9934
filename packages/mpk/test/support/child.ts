/** The programs of `test/fixtures`. */
import { fixturesOf } from '@guardstripe/test-support';

export const { runFixture, fixtureJson } = fixturesOf(new URL('../fixtures/', import.meta.url), {
  // Few threads, so that a fixture can keep all of them busy.
  env: { UV_THREADPOOL_SIZE: '2' },
});
