/**
 * Reads the three sections that say what memories a module has: imports, memories, data. All others are stepped over, so
 * that the time depends on the number of segments and not on the code.
 *
 * wasmparser finds the sections and reads the imports. It forgives much: numbers that are too long, entries that reach
 * behind their section, a second module behind the first. Each is checked here, for V8 has not always looked first.
 */
import { BinaryReader } from 'wasmparser';
import { IMPORT_KIND_LAST, IMPORT_KIND_MEMORY, READER, SECTION } from './codes.js';
import { Cursor } from './cursor.js';
import { readDataSection } from './data-section.js';
import { InvalidModuleError } from './errors.js';
import { readMemoryType } from './memory-type.js';
import type { DataSegment, MemoryDescriptor, MemoryType, ParsedModule } from './types.js';

/** Where a section lies in the module's bytes: its id is at `headerStart`, what it holds at `[start, end)`. */
export interface SectionRange {
  readonly id: number;
  readonly headerStart: number;
  readonly start: number;
  readonly end: number;
}

/** A memory type and where it is written. */
export interface PlacedMemoryType {
  readonly type: MemoryType;
  readonly start: number;
  readonly end: number;
}

/** A parsed module together with the places of what was parsed. */
export interface ModuleReading extends ParsedModule {
  readonly sections: readonly SectionRange[];
  readonly memoryTypes: readonly PlacedMemoryType[];
}

const VERSION = 1;

/**
 * wasmparser's reader as we use it. Its own types hide the method to replace and the state that works on, and give states and kinds
 * as `const enum`s.
 */
interface SectionReader {
  readonly state: number;
  readonly result: unknown;
  readonly error: Error | null;
  read(): boolean;
  skipSection(): void;
  readMemoryType: () => MemoryType;
  _data: Uint8Array;
  _pos: number;
}

interface ImportEntry {
  readonly module: Uint8Array;
  readonly field: Uint8Array;
  readonly kind: number;
}

/**
 * Reads a module. Nothing is known of `bytes`.
 *
 * @throws {@link InvalidModuleError}, and nothing else
 */
export function readModule(bytes: Uint8Array): ModuleReading {
  try {
    return new ModuleReader(bytes).read();
  } catch (error) {
    if (error instanceof InvalidModuleError) throw error;
    // wasmparser throws plain errors.
    throw new InvalidModuleError(error instanceof Error ? error.message : String(error), error);
  }
}

class ModuleReader {
  readonly #bytes: Uint8Array;
  readonly #reader: SectionReader;
  readonly #sections: SectionRange[] = [];
  readonly #memoryTypes: PlacedMemoryType[] = [];
  readonly #memories: MemoryDescriptor[] = [];
  #dataSegments: DataSegment[] | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const binaryReader = new BinaryReader();
    binaryReader.setData(new ArrayBuffer(0), 0, bytes.byteLength);
    const reader = binaryReader as unknown as SectionReader;
    // `setData` takes whole buffers only, and the module may be a part of one.
    reader._data = bytes;
    reader.readMemoryType = () => {
      const cursor = new Cursor(bytes, reader._pos, bytes.byteLength);
      const type = readMemoryType(cursor);
      this.#memoryTypes.push({ type, start: reader._pos, end: cursor.position });
      reader._pos = cursor.position;
      return type;
    };
    this.#reader = reader;
  }

  read(): ModuleReading {
    this.#advance();
    this.#readHeader();
    for (;;) {
      const headerStart = this.#reader._pos;
      this.#advance();
      if (this.#reader.state === READER.endWasm) break;
      this.#readSection(headerStart);
    }
    if (this.#reader._pos !== this.#bytes.byteLength) {
      throw new InvalidModuleError(`another module follows at byte ${this.#reader._pos}`);
    }
    return {
      memories: this.#memories,
      dataSegments: this.#dataSegments ?? [],
      sections: this.#sections,
      memoryTypes: this.#memoryTypes,
    };
  }

  /** One step of wasmparser; its two ways to fail become errors. */
  #advance(): void {
    const moved = this.#reader.read();
    if (this.#reader.state === READER.error) throw this.#reader.error ?? new Error('unknown');
    if (!moved) throw new InvalidModuleError(`it is cut off at byte ${this.#reader._pos}`);
  }

  #readHeader(): void {
    const version = this.#bytes[4];
    if (version !== VERSION)
      throw new InvalidModuleError(`its version must be ${VERSION}, received ${version}`);
  }

  #readSection(headerStart: number): void {
    const { id } = this.#reader.result as { readonly id: number };
    const start = this.#reader._pos;
    // What stands behind the section's header counts from here; `start` of a custom section is behind its name.
    if (id === SECTION.import) this.#readEntries(READER.importEntry, () => this.#addImport());
    else if (id === SECTION.memory) this.#readEntries(READER.memoryEntry, () => this.#addDefined());
    else this.#skip();
    const end = this.#reader._pos;
    if (start > end)
      throw new InvalidModuleError(`a custom section's name is longer than the section, at byte ${start}`);
    this.#checkOnce(id, headerStart);
    this.#sections.push({ id, headerStart, start, end });
    if (id === SECTION.data) {
      this.#dataSegments = readDataSection(new Cursor(this.#bytes, start, end), this.#memories);
    }
  }

  /** Steps through a section's entries, and sees to it that they fill the section exactly. */
  #readEntries(entryState: number, add: () => void): void {
    const count = new Cursor(this.#bytes, this.#reader._pos, this.#bytes.byteLength);
    count.u32();
    let entriesEnd = count.position;
    for (;;) {
      this.#advance();
      if (this.#reader.state !== entryState) break;
      entriesEnd = this.#reader._pos;
      if (entriesEnd > this.#bytes.byteLength)
        throw new InvalidModuleError('it ends in the middle of an entry');
      add();
    }
    if (entriesEnd !== this.#reader._pos) {
      throw new InvalidModuleError(
        `a section's entries end at byte ${entriesEnd} and the section at byte ${this.#reader._pos}`,
      );
    }
  }

  #skip(): void {
    this.#reader.skipSection();
    this.#advance();
  }

  #addImport(): void {
    const entry = this.#reader.result as ImportEntry;
    if (entry.kind > IMPORT_KIND_LAST)
      throw new InvalidModuleError(`an import has unknown kind ${entry.kind}`);
    if (entry.kind !== IMPORT_KIND_MEMORY) return;
    const module = decodeName(entry.module);
    this.#memories.push({
      kind: 'imported',
      ...this.#lastMemoryType(),
      module,
      name: decodeName(entry.field),
    });
  }

  #addDefined(): void {
    this.#memories.push({ kind: 'defined', ...this.#lastMemoryType() });
  }

  #lastMemoryType(): MemoryType {
    const placed = this.#memoryTypes.at(-1);
    if (placed === undefined) throw new InvalidModuleError('a memory has no type');
    return placed.type;
  }

  /** Imports come before memories and memories before data, each once: else indices would mean something else. */
  #checkOnce(id: number, headerStart: number): void {
    const rank = READ_SECTIONS.indexOf(id);
    if (rank === -1) return;
    const last = this.#sections.findLast((section) => READ_SECTIONS.includes(section.id));
    if (last === undefined || READ_SECTIONS.indexOf(last.id) < rank) return;
    throw new InvalidModuleError(`section ${id} is there twice or out of order, at byte ${headerStart}`);
  }
}

const READ_SECTIONS: readonly number[] = [SECTION.import, SECTION.memory, SECTION.data];

/** Names are UTF-8; a byte order mark is part of a name. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeName(name: Uint8Array): string {
  try {
    return utf8.decode(name);
  } catch (error) {
    throw new InvalidModuleError("an import's name is not UTF-8", error);
  }
}
