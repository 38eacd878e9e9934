/**
 * Whether a module is valid: V8 says so, with one exception.
 *
 * V8 looks first. What it accepts is valid. What it rejects is invalid, unless the module has a memory that this V8 may
 * not take: a custom page size, or 64-bit addresses, whose limits V8 sets lower than the specification. Then V8 is asked
 * again about the same module with every memory type replaced by the plainest of its kind, and that answer counts: code,
 * data and all else are still checked by V8, and only the memory types by us. Where V8 has no 64-bit memories at all
 * (Node 22.12 has none, 22.23 has them), our own reading of such a module has to do.
 */
import { InvalidModuleError } from './errors.js';
import { isUnusualMemory, plainMemoryType } from './memory-type.js';
import { readModule, type ModuleReading, type PlacedMemoryType, type SectionRange } from './reader.js';
import { v8Accepts, v8Rejection } from './v8.js';

/**
 * Reads a module that is valid by the rule above.
 *
 * @throws {@link InvalidModuleError}
 */
export function readValidModule(bytes: Uint8Array): ModuleReading {
  const rejection = v8Rejection(bytes);
  if (rejection === undefined) return readModule(bytes);
  const invalid = new InvalidModuleError(
    rejection.message.replace(/^WebAssembly\.Module\(\): /, ''),
    rejection,
  );
  let reading: ModuleReading;
  try {
    reading = readModule(bytes);
  } catch {
    // V8's words say more than ours: it looked at all of the module.
    throw invalid;
  }
  if (!hasUnusualMemory(bytes, reading)) throw invalid;
  if (v8Accepts(withPlainMemories(bytes, reading))) return reading;
  if (!usesWhatV8Lacks(reading)) throw invalid;
  return reading;
}

function hasUnusualMemory(bytes: Uint8Array, reading: ModuleReading): boolean {
  return reading.memoryTypes.some(({ start }) => isUnusualMemory(bytes[start] ?? 0));
}

/** The module with each memory type replaced by the plainest of its kind, all else byte for byte. */
function withPlainMemories(bytes: Uint8Array, reading: ModuleReading): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (const section of reading.sections) {
    const inside = reading.memoryTypes.filter(
      ({ start, end }) => start >= section.start && end <= section.end,
    );
    if (inside.length === 0) continue;
    const payload = replaceTypes(bytes, section, inside);
    parts.push(
      bytes.subarray(copied, section.headerStart),
      Uint8Array.of(section.id),
      u32(payload.length),
      payload,
    );
    copied = section.end;
  }
  parts.push(bytes.subarray(copied));
  return concat(parts);
}

function replaceTypes(
  bytes: Uint8Array,
  section: SectionRange,
  types: readonly PlacedMemoryType[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  let copied = section.start;
  for (const { type, start, end } of types) {
    parts.push(bytes.subarray(copied, start), plainMemoryType(type));
    copied = end;
  }
  parts.push(bytes.subarray(copied, section.end));
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}

function u32(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Uint8Array.of(...bytes, rest);
}

const MODULE_HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** One memory section: a single 64-bit memory. */
const MEMORY64_PROBE = Uint8Array.of(...MODULE_HEADER, 5, 3, 1, 4, 0);

function usesWhatV8Lacks(reading: ModuleReading): boolean {
  return reading.memories.some((memory) => memory.index === 'i64') && !v8Accepts(MEMORY64_PROBE);
}
