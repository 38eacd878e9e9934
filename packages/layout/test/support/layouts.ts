/** Slabs of every sort, for the pictures. */
import { calculate, slabConstraints } from '../../src/index.js';
import { GIB, MIB } from './figures.js';

export const PLAIN = calculate(slabConstraints());
export const STRIPED = calculate(slabConstraints({ maxMemorySize: 256 * MIB }, {}, 15));
export const THREE = calculate(
  slabConstraints({ totalMemories: 3, maxMemorySize: GIB }, { memoryGuardSize: 2 * GIB }, 15),
);
/** Guards, and no slot. */
export const EMPTY = calculate(slabConstraints({ totalMemories: 0 }));
export const NOTHING = calculate(slabConstraints({ totalMemories: 0 }, { memoryGuardSize: 0 }));
/** Slots of no bytes. */
export const NO_BYTES = calculate(
  slabConstraints({ totalMemories: 3, maxMemorySize: 0 }, { memoryReservation: 0, memoryGuardSize: 0 }),
);
export const MANY_KEYS = calculate(slabConstraints({ totalMemories: 1_000_000, maxMemorySize: MIB }, {}, 40));
/** Memories that fill their slots. */
export const FULL = calculate(slabConstraints({ totalMemories: 4 }, { memoryGuardSize: 0 }));

export const ALL = { PLAIN, STRIPED, THREE, EMPTY, NOTHING, NO_BYTES, MANY_KEYS, FULL };
