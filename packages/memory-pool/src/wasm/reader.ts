/**
 * Reads what a module says of its memories: imports, memories, globals, data. All other sections are stepped over, so that
 * the time does not depend on the code. It is strict: nobody may have looked at the module before. What it reads is
 * counted first and held against the limits, and each byte is looked at once.
 */
import type { Globals } from './sections/constant.js';
import { Cursor } from './sections/cursor.js';
import { readDataSection } from './sections/data.js';
import { InvalidModuleError } from './errors.js';
import { readGlobalSection } from './sections/global.js';
import { readImportSection } from './sections/import.js';
import { checkLimit, type ModuleLimits } from './limits.js';
import { readMemoryType, type PlacedMemoryType } from './sections/memory-type.js';
import { SECTION, SectionOrder } from './sections/section.js';
import type { DataSegment, MemoryType } from './types.js';

/** A section with memory types, and where it lies: its id is at `headerStart`, what it holds at `[start, end)`. */
export interface MemoryTypesSection {
  readonly id: number;
  readonly headerStart: number;
  readonly start: number;
  readonly end: number;
  readonly types: readonly PlacedMemoryType[];
}

/** What was read, and where the memory types are. */
export interface ModuleReading {
  readonly memories: readonly MemoryType[];
  readonly dataSegments: readonly DataSegment[];
  /** The imports and the memories, as far as the module has these sections. */
  readonly memoryTypes: readonly MemoryTypesSection[];
  /** Whether there was nothing that the reader had to leave to V8: instructions in globals that it does not know. */
  readonly complete: boolean;
}

/** `\0asm` and the version, 1, both little-endian. */
const MAGIC = 0x6d73_6100;
const VERSION = 1;

/** The shortest entries there are: no maximum, `ref.null`, a passive segment of nothing. */
const MIN_MEMORY_TYPE_BYTES = 2;
const MIN_GLOBAL_BYTES = 5;
const MIN_SEGMENT_BYTES = 2;

/**
 * Reads a module. Nothing is known of `bytes`.
 *
 * @throws {@link InvalidModuleError}, {@link ModuleLimitError}, and nothing else
 */
export function readModule(bytes: Uint8Array, limits: ModuleLimits): ModuleReading {
  return new ModuleReader(bytes, limits).read();
}

class ModuleReader {
  readonly #bytes: Uint8Array;
  readonly #limits: ModuleLimits;
  readonly #memoryTypes: MemoryTypesSection[] = [];
  readonly #memories: MemoryType[] = [];
  #globals: Globals = { known: [], complete: true };
  #dataSegments: readonly DataSegment[] = [];
  #announcedSegments: number | undefined;

  constructor(bytes: Uint8Array, limits: ModuleLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  read(): ModuleReading {
    const cursor = new Cursor(this.#bytes, 0, this.#bytes.byteLength);
    readHeader(cursor);
    const order = new SectionOrder();
    for (let count = 1; cursor.position < cursor.end; count++) {
      checkLimit(this.#limits, 'maxSections', count);
      const headerStart = cursor.position;
      const id = cursor.byte();
      order.check(id, cursor);
      const byteLength = cursor.u32();
      const start = cursor.skip(byteLength);
      this.#readSection(id, headerStart, start, cursor.position);
    }
    const numSegments = this.#dataSegments.length;
    if (this.#announcedSegments !== undefined && this.#announcedSegments !== numSegments) {
      throw cursor.error(
        `${this.#announcedSegments} data segments are announced and ${numSegments} are there`,
      );
    }
    return {
      memories: this.#memories,
      dataSegments: this.#dataSegments,
      memoryTypes: this.#memoryTypes,
      complete: this.#globals.complete,
    };
  }

  #readSection(id: number, headerStart: number, start: number, end: number): void {
    const cursor = new Cursor(this.#bytes, start, end);
    switch (id) {
      case SECTION.custom:
        cursor.skip(cursor.u32()); // its name, which must lie in it
        return;
      case SECTION.import:
        this.#readImports(cursor, { id, headerStart, start, end });
        return;
      case SECTION.memory:
        this.#readMemories(cursor, { id, headerStart, start, end });
        return;
      case SECTION.global: {
        const count = cursor.count(MIN_GLOBAL_BYTES);
        const imported = this.#globals.known;
        checkLimit(this.#limits, 'maxGlobals', imported.length + count);
        this.#globals = readGlobalSection(cursor, count, imported);
        return;
      }
      case SECTION.dataCount:
        this.#announcedSegments = cursor.u32();
        cursor.finish('the data count section');
        return;
      case SECTION.data: {
        const count = cursor.count(MIN_SEGMENT_BYTES);
        checkLimit(this.#limits, 'maxDataSegments', count);
        this.#dataSegments = readDataSection(cursor, count, this.#memories, this.#globals);
      }
    }
  }

  #readImports(cursor: Cursor, place: Omit<MemoryTypesSection, 'types'>): void {
    const { memories, memoryTypes, globals } = readImportSection(
      cursor,
      (count) => checkLimit(this.#limits, 'maxMemories', count),
      (count) => checkLimit(this.#limits, 'maxGlobals', count),
    );
    for (const memory of memories) this.#memories.push(memory);
    this.#memoryTypes.push({ ...place, types: memoryTypes });
    this.#globals = { known: globals, complete: true };
  }

  #readMemories(cursor: Cursor, place: Omit<MemoryTypesSection, 'types'>): void {
    const count = cursor.count(MIN_MEMORY_TYPE_BYTES);
    checkLimit(this.#limits, 'maxMemories', this.#memories.length + count);
    const types: PlacedMemoryType[] = [];
    for (let rest = count; rest > 0; rest--) {
      const placed = readMemoryType(cursor, undefined);
      types.push(placed);
      this.#memories.push(placed.type);
    }
    cursor.finish('the memory section');
    this.#memoryTypes.push({ ...place, types });
  }
}

function readHeader(cursor: Cursor): void {
  if (readLittleEndian(cursor) !== MAGIC) throw new InvalidModuleError('it does not start with \\0asm');
  const version = readLittleEndian(cursor);
  if (version !== VERSION)
    throw new InvalidModuleError(`its version must be ${VERSION}, received ${version}`);
}

function readLittleEndian(cursor: Cursor): number {
  return cursor.byte() | (cursor.byte() << 8) | (cursor.byte() << 16) | (cursor.byte() << 24);
}
