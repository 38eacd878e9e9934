/**
 * Whether a module is valid: V8 says so, with one exception.
 *
 * We read first, for our reading is bounded by limits, and what it finds too much V8 never sees. What V8 then accepts is
 * valid. What it rejects is invalid, unless the module has a memory that this V8 may not take: a custom page size, or 64-bit
 * addresses, whose limits V8 sets lower than the specification. Then V8 is asked again about the same module with
 * every memory type replaced by the plainest of its kind, and that answer counts: code, data and all else are still
 * checked by V8, and only the memory types by us. Where V8 has no 64-bit memories at all (Node 22.12 has none, 22.23 has
 * them), or no WebAssembly (`--jitless`), our own reading has to do.
 */
import { InvalidModuleError } from './errors.js';
import { ModuleLimitError, type ModuleLimits } from './limits.js';
import { isUnusualMemory, plainMemoryType } from './sections/memory-type.js';
import { readModule, type MemoryTypesSection, type ModuleReading } from './reader.js';
import { v8Accepts, v8Rejection } from './v8.js';

/**
 * Reads a module that is valid by the rule above.
 *
 * @throws {@link InvalidModuleError}, {@link ModuleLimitError}
 */
export function readValidModule(bytes: Uint8Array<ArrayBuffer>, limits: ModuleLimits): ModuleReading {
  let reading: ModuleReading;
  try {
    reading = readModule(bytes, limits);
  } catch (error) {
    if (error instanceof ModuleLimitError) throw error;
    // V8's words say more than ours: it looks at all of the module.
    throw rejectionOf(bytes) ?? error;
  }
  const accepted = v8Accepts(bytes);
  if (accepted === true) return reading;
  if ((accepted === undefined || v8Lacks(reading)) && reading.complete) return reading;
  if (hasUnusualMemory(bytes, reading) && v8Accepts(withPlainMemories(bytes, reading)) === true)
    return reading;
  throw rejectionOf(bytes) ?? new InvalidModuleError('V8 does not accept it');
}

function rejectionOf(bytes: Uint8Array<ArrayBuffer>): InvalidModuleError | undefined {
  const rejection = v8Rejection(bytes);
  if (rejection === undefined) return undefined;
  return new InvalidModuleError(rejection.message.replace(/^WebAssembly\.Module\(\): /, ''), rejection);
}

function hasUnusualMemory(bytes: Uint8Array, { memoryTypes }: ModuleReading): boolean {
  return memoryTypes.some(({ types }) => types.some(({ start }) => isUnusualMemory(bytes[start] ?? 0)));
}

/** The module with each memory type replaced by the plainest of its kind, all else byte for byte. Never longer. */
function withPlainMemories(
  bytes: Uint8Array<ArrayBuffer>,
  { memoryTypes }: ModuleReading,
): Uint8Array<ArrayBuffer> {
  const copy = new Writer(bytes);
  for (const section of memoryTypes) {
    copy.copyTo(section.headerStart);
    copy.put([section.id, ...u32(plainLength(section))]);
    copy.skipTo(section.start);
    for (const { type, start, end } of section.types) {
      copy.copyTo(start);
      copy.put(plainMemoryType(type));
      copy.skipTo(end);
    }
  }
  copy.copyTo(bytes.length);
  return copy.written();
}

/** Bytes of the section when its types are plain. */
function plainLength({ start, end, types }: MemoryTypesSection): number {
  let saved = 0;
  for (const type of types) saved += type.end - type.start - plainMemoryType(type.type).length;
  return end - start - saved;
}

/** Writes a copy that is at most as long as its source, with some of it replaced. */
class Writer {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array<ArrayBuffer>;
  #from = 0;
  #to = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#target = new Uint8Array(source.length);
  }

  /** Copies what is left of the source up to `position`. */
  copyTo(position: number): void {
    this.put(this.#source.subarray(this.#from, position));
    this.#from = position;
  }

  skipTo(position: number): void {
    this.#from = position;
  }

  put(bytes: ArrayLike<number>): void {
    this.#target.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#target.subarray(0, this.#to);
  }
}

function u32(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...u32(Math.floor(value / 0x80))];
}

const MODULE_HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** One memory section: a single 64-bit memory. */
const MEMORY64_PROBE = Uint8Array.of(...MODULE_HEADER, 5, 3, 1, 4, 0);

/** Whether the module has memories that this V8 has not at all. */
function v8Lacks({ memories }: ModuleReading): boolean {
  return memories.some((memory) => memory.index === 'i64') && v8Accepts(MEMORY64_PROBE) === false;
}
