/** The programs of `test/fixtures`. */
import { fixturesOf } from '@guardstripe/test-support';

export const { fixtureJson } = fixturesOf(new URL('../fixtures/', import.meta.url), {
  nodeArgs: ['--expose-gc', '--no-warnings'],
  env: { NODE_OPTIONS: undefined },
  timeoutMs: 240_000,
});
