/** The import section: which memories and globals are given to the module. */
import type { Global } from './constant.js';
import type { Cursor } from './cursor.js';
import { InvalidModuleError } from '../errors.js';
import { readGlobalType } from './global.js';
import { readLimits, readMemoryType, type PlacedMemoryType } from './memory-type.js';
import type { MemoryType } from '../types.js';
import { readValueType } from './value-type.js';

/** What the import section says of memories and globals, in the order of their indices. */
export interface Imports {
  readonly memories: readonly MemoryType[];
  readonly memoryTypes: readonly PlacedMemoryType[];
  readonly globals: readonly Global[];
}

/** Two empty names, a kind, and the index of a function's type. */
const MIN_IMPORT_BYTES = 4;

const KIND = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/**
 * Reads the whole section. `cursor` stands on its count and ends where the section does.
 *
 * @param checkMemories - told of the number of memories before one more is kept
 * @param checkGlobals - the same for globals
 * @throws {@link InvalidModuleError}
 */
export function readImportSection(
  cursor: Cursor,
  checkMemories: (count: number) => void,
  checkGlobals: (count: number) => void,
): Imports {
  const memories: MemoryType[] = [];
  const memoryTypes: PlacedMemoryType[] = [];
  const globals: Global[] = [];
  for (let rest = cursor.count(MIN_IMPORT_BYTES); rest > 0; rest--) {
    const module = cursor.view(cursor.u32());
    const name = cursor.view(cursor.u32());
    const kind = cursor.byte();
    if (kind === KIND.memory) {
      checkMemories(memories.length + 1);
      const placed = readMemoryType(cursor, { module: decodeName(module), name: decodeName(name) });
      memoryTypes.push(placed);
      memories.push(placed.type);
    } else if (kind === KIND.global) {
      checkGlobals(globals.length + 1);
      globals.push({ ...readGlobalType(cursor), value: undefined });
    } else {
      skipOther(kind, cursor);
    }
  }
  cursor.finish('the import section');
  return { memories, memoryTypes, globals };
}

function skipOther(kind: number, cursor: Cursor): void {
  switch (kind) {
    case KIND.function:
      cursor.u32();
      return;
    case KIND.table:
      readValueType(cursor);
      readLimits(cursor);
      return;
    case KIND.tag:
      if (cursor.byte() !== 0) throw cursor.error('a tag has an unknown attribute');
      cursor.u32();
      return;
    default:
      throw cursor.error(`an import has unknown kind ${kind}`);
  }
}

/** Names are UTF-8; a byte order mark is part of a name. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeName(name: Uint8Array): string {
  try {
    return utf8.decode(name);
  } catch (error) {
    throw new InvalidModuleError("an import's name is not UTF-8", error);
  }
}
