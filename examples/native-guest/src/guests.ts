/** Every guest that tests, benchmark and demo use, compiled or found compiled. */
import { fileURLToPath } from 'node:url';
import { assemble, type BuiltGuest, compileGuest, compilePlugin } from './compile.ts';
import { realModules } from './real-modules.ts';

const FAULTS = fileURLToPath(new URL('../guests/faults.wat', import.meta.url));
const HOSTILE = fileURLToPath(new URL('../guests/hostile.wat', import.meta.url));

/** Our own small guest. */
export async function faultsGuest(): Promise<BuiltGuest> {
  return compileGuest('faults', await assemble(FAULTS));
}

/** One that does its worst. */
export async function hostileGuest(): Promise<BuiltGuest> {
  return compileGuest('hostile', await assemble(HOSTILE));
}

/** The small guest with wasm2c's copies of data segments left in. */
export async function faultsGuestWithDataCopies(): Promise<BuiltGuest> {
  return compileGuest('faults', await assemble(FAULTS), { keepDataCopies: true });
}

/** The guests that real modules make, two compiled at a time. */
export async function realGuests(): Promise<readonly BuiltGuest[]> {
  const modules = realModules();
  const guests: BuiltGuest[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < modules.length) {
      const at = next++;
      const module = modules[at];
      if (module !== undefined) guests[at] = await compileGuest(module.name, module.bytes);
    }
  };
  await Promise.all([work(), work()]);
  return guests;
}

/** The guest in plain C, `guests/plugin.c`: a library, not a module. */
export function pluginLibrary(): Promise<{ readonly library: string; readonly bridge: string }> {
  return compilePlugin(fileURLToPath(new URL('../guests/plugin.c', import.meta.url)));
}
