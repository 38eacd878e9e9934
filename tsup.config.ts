import { defineConfig } from 'tsup';

/** One build for every package: `tsup --config ../../tsup.config.ts`, run in the package's folder. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node22',
  dts: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
});
