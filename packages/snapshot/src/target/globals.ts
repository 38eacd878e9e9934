/** Exported mutable globals. */
import { WrongTargetError } from '../errors.js';
import { canHold, ExactNaN, exactNaN, floatAccess } from './float-bits.js';
import { isSame, translate, type Reference } from './references.js';
import type { Target } from './target.js';
import { webAssembly } from './webassembly.js';

/** The values of a target's globals now, in their order. */
export function readGlobals({ globals }: Target): unknown[] {
  const { valueOf } = webAssembly();
  return globals.map((global) => {
    const value = valueOf(global);
    return Number.isNaN(value) ? exactNaN(global) : value;
  });
}

/** Writes values back, those that are no more what they were. */
export function writeGlobals({ globals }: Target, values: readonly unknown[]): void {
  const { valueOf, setValue } = webAssembly();
  globals.forEach((global, i) => {
    const value = values[i];
    if (value instanceof ExactNaN) floatAccess(global)?.write(value.bits);
    else if (!isSame(valueOf(global), value)) setValue(global, value);
  });
}

/** What the references mean in another instance. Throws {@link WrongTargetError} before anything is written. */
export function translateGlobals(references: readonly Reference[], other: Target): unknown[] {
  const { valueOf } = webAssembly();
  return references.map((reference, i) => {
    const global = other.globals[i]!;
    const current = valueOf(global);
    const value = translate(reference, current, other, `global ${i}`);
    const fits = value instanceof ExactNaN ? canHold(global, value) : typeof value === typeof current;
    if (!fits) throw new WrongTargetError(`global ${i} is of another type: ${typeof current}`);
    return value;
  });
}
