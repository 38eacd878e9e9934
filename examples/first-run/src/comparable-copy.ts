/**
 * A copy of a module whose start can be looked at: its start function removed, for that may change the memory before
 * anybody sees it, and its own memories exported.
 *
 *     header | types | imports | ... | globals | exports + ours | start | elements | code | data
 *                                              └─ lengthened ──┘ └ gone ┘
 */
import { Cursor, encodeU32, readSections, SectionId, type Section } from './wasm-sections.ts';

export interface ComparableCopy {
  readonly bytes: Uint8Array;
  /** What was changed beside the exports, in words. */
  readonly changes: readonly string[];
}

const EXPORT_KIND_MEMORY = 2;
/** Everything that may stand before the exports, by the order that the specification demands. */
const BEFORE_EXPORTS: ReadonlySet<number> = new Set([
  1,
  2,
  3,
  4,
  5,
  SectionId.tag,
  SectionId.global,
  SectionId.custom,
]);

/** The name that memory `memoryIndex` is exported by in the copy; unlikely to be taken, and V8 would say so. */
export function exportNameOf(memoryIndex: number): string {
  return `guardstripe:memory:${memoryIndex}`;
}

export function comparableCopy(bytes: Uint8Array, memoryIndices: readonly number[]): ComparableCopy {
  const sections = readSections(bytes);
  const parts = [bytes.subarray(0, 8)];
  const changes: string[] = [];
  let exported = false;
  for (const section of sections) {
    if (!exported && !BEFORE_EXPORTS.has(section.id)) {
      const existing = section.id === SectionId.export ? section : undefined;
      parts.push(exportSection(bytes, existing, memoryIndices));
      exported = true;
      if (existing !== undefined) continue;
    }
    if (section.id === SectionId.start) {
      changes.push('its start function left out');
      continue;
    }
    parts.push(bytes.subarray(section.headerStart, section.end));
  }
  if (!exported) parts.push(exportSection(bytes, undefined, memoryIndices));
  return { bytes: Buffer.concat(parts), changes };
}

function exportSection(
  bytes: Uint8Array,
  existing: Section | undefined,
  memoryIndices: readonly number[],
): Uint8Array {
  let count = 0;
  let entries = bytes.subarray(0, 0);
  if (existing !== undefined) {
    const cursor = new Cursor(bytes, existing.start);
    count = cursor.u32();
    entries = bytes.subarray(cursor.position, existing.end);
  }
  const ours = memoryIndices.flatMap((memoryIndex) => {
    const name = [...Buffer.from(exportNameOf(memoryIndex))];
    return [...encodeU32(name.length), ...name, EXPORT_KIND_MEMORY, ...encodeU32(memoryIndex)];
  });
  const head = encodeU32(count + memoryIndices.length);
  const byteLength = head.length + entries.length + ours.length;
  return Buffer.concat([
    Uint8Array.of(SectionId.export, ...encodeU32(byteLength), ...head),
    entries,
    Uint8Array.from(ours),
  ]);
}
