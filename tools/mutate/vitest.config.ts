/** The tests of one package, in the copy of it that Stryker made: the workspace's configuration would test the package itself. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests of what is built say nothing of mutants, which are in the sources.
    exclude: ['test/cli/**'],
    // The two slowest, which kill nothing that others do not.
    testNamePattern: /^(?!.*(?:a million: every slot|escapes any title))/,
    testTimeout: 300_000,
  },
});
