/**
 * Bytes by which a memory is known again. They are written where a mix-up would show: into the image, whose pages are
 * shared until they are written to, and at the memory's very end.
 *
 *     | zeros | PATTERN image ... | zeros ... PATTERN | guard
 */
import type { PooledMemory } from '@guardstripe/memory-pool';
import type { Candidate } from './candidate.ts';

const PATTERN_BYTES = 32;

/** Offsets of the patterns in a memory; they do not overlap. */
export function patternOffsets(candidate: Candidate): number[] {
  const { initialBytes, memory } = candidate;
  const last = Math.max(initialBytes - PATTERN_BYTES, 0);
  const first = Math.min(memory.image?.offsetBytes ?? 0, last);
  return last - first < PATTERN_BYTES ? [last] : [first, last];
}

export function patternOf(id: number): Buffer {
  const pattern = Buffer.alloc(PATTERN_BYTES);
  // Odd multipliers make every word of every id another one.
  for (let word = 0; word < PATTERN_BYTES / 4; word++) {
    pattern.writeUInt32LE((Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(word + 1, 0x85ebca6b)) >>> 0, word * 4);
  }
  return pattern;
}

/**
 * Runs `look` on the memory's bytes and detaches the view right after: V8 counts a view's whole length as memory to be
 * collected, and thousands of them at once, many gigabytes long in all, would keep its collector busy.
 */
export function withBytes<T>(memory: PooledMemory, look: (bytes: Buffer) => T): T {
  const result = look(Buffer.from(memory.unsafeBuffer));
  memory.grow(0);
  return result;
}

export function writePattern(bytes: Buffer, candidate: Candidate, id: number): void {
  for (const offset of patternOffsets(candidate)) patternOf(id).copy(bytes, offset);
}

/** Whether the memory still has the pattern, and no other, at all its places. */
export function hasPattern(bytes: Buffer, candidate: Candidate, id: number): boolean {
  const pattern = patternOf(id).subarray(0, candidate.initialBytes);
  return patternOffsets(candidate).every((offset) =>
    bytes.subarray(offset, offset + pattern.length).equals(pattern),
  );
}

/** Whether the memory has, where patterns go, the bytes that it starts with. */
export function hasStartBytes(bytes: Buffer, candidate: Candidate): boolean {
  return patternOffsets(candidate).every((offset) => {
    const end = Math.min(offset + PATTERN_BYTES, candidate.initialBytes);
    return bytes.subarray(offset, end).equals(candidate.reference.subarray(offset, end));
  });
}
