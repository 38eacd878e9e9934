import { defineConfig } from 'tsup';
import type { Options } from 'tsup';

import shared from '../../tsup.config.ts';

/**
 * The shared build, with the numbers of `src/state.ts` written into the code. Otherwise esbuild turns every constant
 * into a `var`, which the engine has to load and to test at each use: a pair of calls takes half as long again.
 */
const withNumbers: Options = {
  esbuildOptions(options) {
    options.minifySyntax = true;
  },
};

export default defineConfig(Object.assign({}, shared, withNumbers));
