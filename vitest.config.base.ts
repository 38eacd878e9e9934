import { defineConfig } from 'vitest/config';

/** The settings every package's tests share. The JSON report feeds `tools/sum-tests.ts`. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
