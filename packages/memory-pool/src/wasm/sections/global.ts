/** The global section, as far as offsets of data segments need it: the values of those that are constant. */
import { readInitialValue, type Global, type Globals } from './constant.js';
import type { Cursor } from './cursor.js';
import { readValueType, type ValueKind } from './value-type.js';

/** What a global is. @throws {@link InvalidModuleError} */
export function readGlobalType(cursor: Cursor): { kind: ValueKind; mutable: boolean } {
  const kind = readValueType(cursor);
  const mutability = cursor.byte();
  if (mutability > 1) throw cursor.error(`a global has unknown mutability ${mutability}`);
  return { kind, mutable: mutability === 1 };
}

/**
 * Reads the section, or as much of it as this reader understands: an initial value may be an object, made by instructions of
 * proposals to come. `cursor` stands behind the section's count and ends where the section does.
 *
 * @param count - how many globals the section announces
 * @param imported - the globals before them
 * @throws {@link InvalidModuleError}
 */
export function readGlobalSection(cursor: Cursor, count: number, imported: readonly Global[]): Globals {
  const known = [...imported];
  for (let rest = count; rest > 0; rest--) {
    const { kind, mutable } = readGlobalType(cursor);
    const initial = readInitialValue(cursor, { known, complete: true });
    if (initial === undefined) return { known, complete: false };
    known.push({ kind, mutable, value: mutable || initial.kind !== kind ? undefined : initial.value });
  }
  cursor.finish('the global section');
  return { known, complete: true };
}
