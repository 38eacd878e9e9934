/** Exported tables. A table never shrinks; entries that came later are cleared. */
import { SnapshotUnsupportedError, WrongTargetError } from '../errors.js';
import { isSame, translate, type Reference } from './references.js';
import type { Target } from './target.js';
import { webAssembly } from './webassembly.js';

/** Tables with 64-bit indices take and give them as BigInt. */
function indexer(table: object): (index: number) => number | bigint {
  return typeof webAssembly().lengthOf(table) === 'bigint' ? BigInt : Number;
}

/** The entries of each table now. */
export function readTables({ tables }: Target): unknown[][] {
  return tables.map(readTable);
}

function readTable(table: object): unknown[] {
  const { lengthOf, getEntry } = webAssembly();
  const at = indexer(table);
  try {
    return Array.from({ length: Number(lengthOf(table)) }, (_, index) => getEntry(table, at(index)));
  } catch (error) {
    throw new SnapshotUnsupportedError(
      `a table is exported that JavaScript cannot read: ${(error as Error).message}`,
    );
  }
}

/** Writes entries back, those that are no more what they were, and clears what lies behind them. */
export function writeTables({ tables }: Target, entries: readonly (readonly unknown[])[]): void {
  const { lengthOf, getEntry, setEntry } = webAssembly();
  tables.forEach((table, i) => {
    const saved = entries[i]!;
    const at = indexer(table);
    const length = Number(lengthOf(table));
    for (let index = 0; index < length; index++) {
      const value = index < saved.length ? saved[index] : null;
      if (!isSame(getEntry(table, at(index)), value)) setEntry(table, at(index), value);
    }
  });
}

/** Entries of each table now. */
export function tableLengths({ tables }: Target): number[] {
  const { lengthOf } = webAssembly();
  return tables.map((table) => Number(lengthOf(table)));
}

/** Whether tables hold just these entries. */
export function areTables({ tables }: Target, entries: readonly (readonly unknown[])[]): boolean {
  return tables.every((table, i) => {
    const saved = entries[i]!;
    const current = readTable(table);
    return current.length === saved.length && current.every((value, index) => isSame(value, saved[index]));
  });
}

/**
 * What the references mean in another instance, whose tables grow to hold them. Throws {@link WrongTargetError} before any
 * entry is written.
 */
export function translateTables(references: readonly (readonly Reference[])[], other: Target): unknown[][] {
  return references.map((saved, i) => {
    const table = other.tables[i]!;
    growTo(table, saved.length);
    const current = readTable(table);
    return saved.map((reference, index) =>
      translate(reference, current[index], other, `entry ${index} of table ${i}`),
    );
  });
}

function growTo(table: object, length: number): void {
  const { lengthOf, growTable } = webAssembly();
  const missing = length - Number(lengthOf(table));
  if (missing <= 0) return;
  try {
    growTable(table, indexer(table)(missing));
  } catch (error) {
    throw new WrongTargetError(`a table cannot grow to ${length} entries: ${(error as Error).message}`);
  }
}
