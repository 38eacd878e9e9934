/** Compiles the guests, once for all test files; without tools the tests are skipped, which is said in one line. */
import type { TestProject } from 'vitest/node';
import type { BuiltGuest } from '../../src/compile.ts';
import { faultsGuest, hostileGuest, pluginLibrary, realGuests } from '../../src/guests.ts';
import { MissingToolError } from '../../src/toolchain.ts';

/** Libraries by what they are; plain data, so that it reaches the workers. */
export interface Prepared {
  readonly faults: BuiltGuest;
  readonly hostile: BuiltGuest;
  readonly real: readonly BuiltGuest[];
  readonly plugin: { readonly library: string; readonly bridge: string };
}

declare module 'vitest' {
  interface ProvidedContext {
    /** `undefined` if a tool is missing. */
    prepared: Prepared | undefined;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  try {
    // In the machine with protection keys there are no tools, and only what needs keys is tested.
    const real = process.env['GUARDSTRIPE_REQUIRE_MPK'] === '1' ? [] : await realGuests();
    const [faults, hostile, plugin] = [await faultsGuest(), await hostileGuest(), await pluginLibrary()];
    project.provide('prepared', { faults, hostile, real, plugin });
  } catch (error) {
    if (!(error instanceof MissingToolError)) throw error;
    if (process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1') throw error;
    console.log(`native-guest: tests of native guests were skipped: ${error.message}`);
    project.provide('prepared', undefined);
  }
}
