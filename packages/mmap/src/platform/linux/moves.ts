/** Moving bytes by address, by the C library. */

import type { VirtualMemory } from '../virtual-memory.js';
import { lazily } from './lazily.js';

/** The primitives of this file. */
export type MovePrimitives = Pick<VirtualMemory, 'copyBytes' | 'fillZeros' | 'sameBytes'>;

type MoveBytes = (to: number, from: number, byteLength: number) => void;
type ClearBytes = (address: number, byteLength: number) => void;
type CompareBytes = (a: number, b: number, byteLength: number) => number;

/** All of them. Functions are declared at their first use. */
export function moves(): MovePrimitives {
  const memcpy = lazily<MoveBytes>('void memcpy(uintptr_t to, uintptr_t from, size_t length)');
  // An argument less than `memset` has to be made of a number.
  const bzero = lazily<ClearBytes>('void bzero(uintptr_t address, size_t length)');
  const memcmp = lazily<CompareBytes>('int memcmp(uintptr_t a, uintptr_t b, size_t length)');
  // Without another call in between, for there is one of these for each page.
  let copy: MoveBytes | undefined;
  let clear: ClearBytes | undefined;
  let compare: CompareBytes | undefined;
  return {
    copyBytes: (from, to, byteLength) => (copy ??= memcpy())(to, from, byteLength),
    fillZeros: (address, byteLength) => (clear ??= bzero())(address, byteLength),
    sameBytes: (a, b, byteLength) => (compare ??= memcmp())(a, b, byteLength) === 0,
  };
}
