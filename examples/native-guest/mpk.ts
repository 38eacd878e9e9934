/**
 * The tests that need protection keys, as a script for the emulated machine:
 *
 *     node examples/native-guest/build.ts
 *     node tools/mpk-machine/main.ts --run examples/native-guest/mpk.ts
 */
import { join } from 'node:path';
import { startVitest } from 'vitest/node';

process.env['GUARDSTRIPE_REQUIRE_MPK'] = '1';
process.chdir(import.meta.dirname);
const out = process.env['GUARDSTRIPE_OUT'];
const vitest = await startVitest(
  'test',
  process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['striped'],
  {
    watch: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    ...(out === undefined ? {} : { outputFile: { json: join(out, 'test-results-native-guest.json') } }),
  },
);
await vitest.close();
