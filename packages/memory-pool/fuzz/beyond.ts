/**
 * Modules that V8 cannot read, or not all of it: memories with pages of one byte, 64-bit ones larger than it makes, and many at
 * once. Nothing is imported and every memory is exported, so that another engine can be asked what they start with.
 */
import { encodeModule, memoryName, type MemoryShape } from '@guardstripe/wasm-builder';
import { customMemory, makeGlobals, segment } from './generate.ts';
import type { Random } from './random.ts';

export { memoryName };

/** V8 makes 64-bit memories of up to 16 GiB, in pages of 64 KiB. */
const V8_MAX_PAGES64 = 2 ** 18;
/** Wasmtime takes no more in a module. */
const MAX_MEMORIES = 100;

/** Each such memory is read whole, twice, which takes seconds. */
const ONE_HUGE_IN = 1000;

/** What a segment has at most, so that it fits. */
const ROOMY_BYTES = 9000;

export function beyondModule(random: Random): Uint8Array<ArrayBuffer> {
  if (random.oneIn(ONE_HUGE_IN)) return hugeModule(random);
  const count = random.oneIn(10) ? random.between(20, MAX_MEMORIES) : random.pick([1, 1, 2, 3, 7]);
  const minimumBytes = random.oneIn(10) ? 0 : ROOMY_BYTES;
  const memories = random.list(count, () => memory(random, minimumBytes));
  const globals = makeGlobals(random, false);
  const segments = random.list(random.below(12), () => segment(random, memories, globals));
  return encodeModule({ memories, globals, segments });
}

function memory(random: Random, minimumBytes: number): MemoryShape {
  const index = random.oneIn(2) ? ('i64' as const) : ('i32' as const);
  for (;;) {
    const shape: MemoryShape = random.oneIn(4)
      ? { minimum: random.below(4), index }
      : customMemory(random, index);
    if (Number(shape.minimum) * 2 ** (shape.pageSizeLog2 ?? 16) >= minimumBytes) return shape;
  }
}

/** Bytes at both ends and somewhere in between. */
function hugeModule(random: Random): Uint8Array<ArrayBuffer> {
  const memories: MemoryShape[] = [{ minimum: V8_MAX_PAGES64 + random.between(1, 16), index: 'i64' }];
  const segments = random.list(random.between(3, 8), () => segment(random, memories, []));
  return encodeModule({ memories, segments });
}
