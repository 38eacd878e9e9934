import { defineConfig } from 'tsup';

/** Written into each package that uses it, for it is never published. */
const SHARED = '@guardstripe/common';

/** Its types come along. tsup follows only the imports it is told to, and inside that package they end in `.ts`. */
const SHARED_TYPES = [SHARED, /^\.\/.+\.ts$/];

/** One build for every package: `tsup --config ../../tsup.config.ts`, run in the package's folder. */
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node22',
  // Of commands there is nothing to import, so no types. `Disposable` is in no library that a project has by itself.
  dts: {
    entry: 'src/index.ts',
    resolve: SHARED_TYPES,
    banner: '/// <reference lib="esnext.disposable" />',
  },
  noExternal: [SHARED],
  clean: true,
  sourcemap: true,
  treeshake: true,
});
