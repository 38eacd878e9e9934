/** What the process that a pool is in takes for itself, and leaves to the pool. */
import { MAPPINGS_LEFT_TO_NODE } from '../process-bounds.js';
import type { Embedding } from './defaults.js';

/** What is left to a pool. */
export interface PoolProcess {
  /** Bytes that are free in one piece, of `2 ** addressBits`. */
  readonly largestPieceBytes: (addressBits: number) => number;
  /** What of `RLIMIT_AS` is gone before there is a pool. */
  readonly ownAddressBytes: number;
  /** Mappings that slots must not take. */
  readonly mappingsLeft: number;
}

/** What stacks, libraries and the gaps between them may take of the piece in which the slab lies. */
const PIECE_SHARE = 63 / 64;

/** V8 puts its heap at random addresses below this (`0x3fff_ffff_f000` in its `GetRandomMmapAddr`). */
const V8_RANDOM_BYTES = 2 ** 46;

/**
 * A slab is one piece, and a program splits its address space: a position-independent one lies at two thirds of it (Linux,
 * `ELF_ET_DYN_BASE`). Measured with 47 bits, of 128 TiB: 85.4 to 86.2 in C and in Python.
 */
function belowProgram(addressBits: number): number {
  return Math.floor((2 ** addressBits / 3) * 2 * PIECE_SHARE);
}

/** And above V8's heap: 63.5 to 71 TiB in Node 24. */
function besideV8(addressBits: number): number {
  const bytes = 2 ** addressBits;
  const aboveHeap = bytes > V8_RANDOM_BYTES ? bytes - V8_RANDOM_BYTES : bytes;
  return Math.min(belowProgram(addressBits), Math.floor(aboveHeap * PIECE_SHARE));
}

const PROCESSES: Readonly<Record<Embedding, PoolProcess>> = {
  // Node 24 starts with 1.2 to 1.35 GiB of address space.
  node: {
    largestPieceBytes: besideV8,
    ownAddressBytes: 1.5 * 2 ** 30,
    mappingsLeft: MAPPINGS_LEFT_TO_NODE,
  },
  // Nobody keeps a margin there. A native program has some dozens of mappings, and two more for each of its threads.
  wasmtime: { largestPieceBytes: belowProgram, ownAddressBytes: 2 ** 28, mappingsLeft: 512 },
};

/** What such a process leaves. */
export function processOf(embedding: Embedding): PoolProcess {
  return PROCESSES[embedding];
}
