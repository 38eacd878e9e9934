/** Which memory comes next when many are allocated: all in turn, and the one with the largest image every other time. */
import type { Candidate } from './candidate.ts';

/** At the n-th place; `candidates` must not be empty. */
export function atPlace(candidates: readonly Candidate[], place: number): Candidate {
  const favourite = largestImage(candidates);
  if (favourite !== undefined && place % 2 === 0) return favourite;
  const turn = favourite === undefined ? place : (place - 1) / 2;
  const candidate = candidates[turn % candidates.length];
  if (candidate === undefined) throw new RangeError('There is no memory to allocate');
  return candidate;
}

function largestImage(candidates: readonly Candidate[]): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (imageBytes(candidate) > (best === undefined ? 0 : imageBytes(best))) best = candidate;
  }
  return best;
}

export function imageBytes(candidate: Candidate): number {
  return candidate.memory.image?.byteLength ?? 0;
}

/**
 * Mappings that a live memory takes, at most; the kernel makes one of neighbours that are alike.
 *
 *     | zeros | image | zeros | inaccessible, up to the next slot |
 */
export function mappingsOf(candidate: Candidate): number {
  const { memory, initialBytes } = candidate;
  if (initialBytes === 0) return 0;
  if (memory.image === undefined) return 2;
  const zerosBefore = memory.image.offsetBytes > 0 ? 1 : 0;
  const zerosAfter = memory.image.offsetBytes + memory.image.byteLength < initialBytes ? 1 : 0;
  return zerosBefore + 1 + zerosAfter + 1;
}
