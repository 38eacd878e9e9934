/** A whole module from what it has. */
import { moduleOf } from './bytes.ts';
import {
  dataSection,
  exportSection,
  globalSection,
  globalType,
  importEntry,
  importSection,
  memorySection,
  memoryType,
  type GlobalShape,
  type MemoryShape,
  type SegmentShape,
} from './sections.ts';

export interface ModuleShape {
  /** Imported ones first. */
  readonly memories: readonly MemoryShape[];
  /** Imported ones first. */
  readonly globals?: readonly GlobalShape[];
  readonly segments?: readonly SegmentShape[];
}

/** The name under which {@link encodeModule} exports a memory. */
export const memoryName = (memoryIndex: number): string => `m${memoryIndex}`;

/** A module whose memories are all exported. A segment's constant has the type that its memory's addresses have. */
export function encodeModule({
  memories,
  globals = [],
  segments = [],
}: ModuleShape): Uint8Array<ArrayBuffer> {
  return moduleOf(
    importSection([
      ...memories.flatMap((memory) =>
        memory.importName === undefined ? [] : [importEntry(memory.importName, [2, ...memoryType(memory)])],
      ),
      ...globals.flatMap((global) =>
        global.importName === undefined ? [] : [importEntry(global.importName, [3, ...globalType(global)])],
      ),
    ]),
    memorySection(...memories.filter((memory) => memory.importName === undefined)),
    globalSection(...globals.filter((global) => global.importName === undefined)),
    exportSection(...memories.map((_, index) => [memoryName(index), 2, index] as const)),
    dataSection(
      ...segments.map((segment) => ({
        index: memories[segment.memoryIndex ?? 0]?.index ?? 'i32',
        ...segment,
      })),
    ),
  );
}
