import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage until a condition holds, or long enough that it never will. Finalizers run between turns of the event loop. */
export async function collect(until: () => boolean, turns = 60): Promise<boolean> {
  for (let turn = 0; turn < turns; turn++) {
    gc();
    await setImmediate();
    if (until()) return true;
  }
  return false;
}
