/** Compiles every guest into `dist`. Without tools it says what is missing and changes nothing. */
import {
  faultsGuest,
  faultsGuestWithDataCopies,
  hostileGuest,
  pluginLibrary,
  realGuests,
} from './src/guests.ts';
import { MissingToolError } from './src/toolchain.ts';

try {
  const own = [await faultsGuest(), await faultsGuestWithDataCopies(), await hostileGuest()];
  await pluginLibrary();
  const real = await realGuests();
  console.log(`${own.length + real.length} guests and a plugin are in dist`);
} catch (error) {
  if (!(error instanceof MissingToolError)) throw error;
  console.log(`Native guests were not compiled: ${error.message}`);
  if (process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1') process.exitCode = 1;
}
