/** Exported mutable globals. */
import { WrongTargetError } from '../errors.js';
import { translate, type Reference } from './references.js';
import type { Target } from './target.js';
import { webAssembly } from './webassembly.js';

/** The values of a target's globals now, in their order. */
export function readGlobals({ globals }: Target): unknown[] {
  const { valueOf } = webAssembly();
  return globals.map((global) => valueOf(global));
}

/** Writes values back, those that are no more what they were. */
export function writeGlobals({ globals }: Target, values: readonly unknown[]): void {
  const { valueOf, setValue } = webAssembly();
  globals.forEach((global, i) => {
    if (!Object.is(valueOf(global), values[i])) setValue(global, values[i]);
  });
}

/** What the references mean in another instance. Throws {@link WrongTargetError} before anything is written. */
export function translateGlobals(references: readonly Reference[], other: Target): unknown[] {
  const current = readGlobals(other);
  return references.map((reference, i) => {
    const value = translate(reference, current[i], other, `global ${i}`);
    if (typeof value !== typeof current[i])
      throw new WrongTargetError(`global ${i} is of another type: ${typeof current[i]}`);
    return value;
  });
}
