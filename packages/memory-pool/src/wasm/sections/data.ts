/** The data section: which bytes go where. */
import { readOffset, type Globals } from './constant.js';
import type { Cursor } from './cursor.js';
import type { DataSegment, MemoryType } from '../types.js';

const ACTIVE = 0;
const PASSIVE = 1;
const ACTIVE_WITH_MEMORY_INDEX = 2;

/**
 * Reads the section's entries. `cursor` stands behind the section's count and ends where the section does.
 *
 * @param count - how many segments the section announces; not trusted with an allocation
 * @throws {@link InvalidModuleError} if the section is malformed, or names a memory that is not among `memories`
 */
export function readDataSection(
  cursor: Cursor,
  count: number,
  memories: readonly MemoryType[],
  globals: Globals,
): DataSegment[] {
  const segments: DataSegment[] = [];
  for (let index = 0; index < count; index++) segments.push(readSegment(cursor, memories, globals));
  cursor.finish('the data section');
  return segments;
}

function readSegment(cursor: Cursor, memories: readonly MemoryType[], globals: Globals): DataSegment {
  const mode = cursor.u32();
  if (mode === PASSIVE) {
    const byteLength = cursor.u32();
    return { mode: 'passive', start: cursor.skip(byteLength), byteLength };
  }
  if (mode !== ACTIVE && mode !== ACTIVE_WITH_MEMORY_INDEX) {
    throw cursor.error(`a data segment has unknown mode ${mode}`);
  }
  const memoryIndex = mode === ACTIVE ? 0 : cursor.u32();
  const memory = memories[memoryIndex];
  if (memory === undefined) {
    throw cursor.error(`a data segment names memory ${memoryIndex} of ${memories.length}`);
  }
  const offset = readOffset(cursor, memory.index, globals) ?? 'not constant';
  const byteLength = cursor.u32();
  return { mode: 'active', memoryIndex, offset, start: cursor.skip(byteLength), byteLength };
}
