import { defineConfig } from 'vitest/config';

/** The settings every package's tests share. The JSON report feeds `tools/sum-tests.ts`. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
    // Far more than any test takes: machines under load are ten times slower than at rest.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
