import { defineConfig } from 'tsup';

/** One build for every package: `tsup --config ../../tsup.config.ts`, run in the package's folder. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node22',
  // Of commands there is nothing to import, so no types. `Disposable` is in no library that a project has by itself.
  dts: { entry: 'src/index.ts', banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  treeshake: true,
});
