import { defineConfig } from 'tsup';

/** One build for every package: `tsup --config ../../tsup.config.ts`, run in the package's folder. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node22',
  // Of commands there is nothing to import, so no types.
  dts: { entry: 'src/index.ts' },
  clean: true,
  sourcemap: true,
  treeshake: true,
});
