/** Modules with too much of something, each in one direction. Small enough to try many, large enough to show what grows. */
import {
  customSection,
  dataSection,
  globalSection,
  memorySection,
  moduleOf,
  section,
  signed,
  unsigned,
} from '@guardstripe/wasm-builder';
import type { Random } from './random.ts';

const PAGE = 65_536;

/** Segments of one byte, each at its own place in the first memory. */
const manySegments = (random: Random): Uint8Array =>
  moduleOf(
    memorySection({ minimum: 8 }),
    dataSection(
      ...random.list(random.between(500, 3000), () => ({
        memoryIndex: 0,
        offset: random.below(8 * PAGE),
        data: [random.between(1, 255)],
      })),
    ),
  );

const manyMemories = (random: Random): Uint8Array => {
  const count = random.between(20, 300);
  return moduleOf(
    memorySection(...random.list(count, () => ({ minimum: random.below(2) }))),
    dataSection(
      ...random.list(count, () => ({
        memoryIndex: random.below(count),
        offset: 0,
        data: random.oneIn(30) ? [1] : [],
      })),
    ),
  );
};

const manyGlobals = (random: Random): Uint8Array => {
  const count = random.between(200, 2000);
  return moduleOf(
    memorySection({ minimum: 1 }),
    globalSection(
      ...random.list(count, (index) => ({
        type: 'i32' as const,
        // Each one more than the one before it.
        init: index === 0 ? 0 : [0x23, ...unsigned(index - 1), 0x41, 1, 0x6a],
      })),
    ),
    dataSection({ memoryIndex: 0, offset: [0x23, ...unsigned(random.below(count))], data: [7] }),
  );
};

const longExpression = (random: Random): Uint8Array => {
  const count = random.between(10, 2000);
  const terms = random.list(count, () => [0x41, ...signed(random.below(30))]);
  const offset = [...terms.flat(), ...random.list(count - 1, () => 0x6a)];
  return moduleOf(memorySection({ minimum: 2 }), dataSection({ memoryIndex: 0, offset, data: [1, 2] }));
};

const manyCustomSections = (random: Random): Uint8Array =>
  moduleOf(
    ...random.list(random.between(50, 500), () => customSection('')),
    memorySection({ minimum: 1 }),
    ...random.list(random.between(50, 500), () => customSection('name', [0])),
  );

/** Two bytes, and as far between them as the memory goes. */
const sparse = (random: Random): Uint8Array => {
  const pages = random.between(16, 64);
  return moduleOf(
    memorySection({ minimum: pages }),
    dataSection(
      { memoryIndex: 0, offset: random.below(PAGE), data: [1] },
      { memoryIndex: 0, offset: pages * PAGE - 1 - random.below(PAGE), data: [2] },
    ),
  );
};

/** A memory larger than any host's, or than V8 takes. */
const huge = (random: Random): Uint8Array => {
  const minimum = unsigned(2n ** BigInt(random.between(10, 48)));
  return moduleOf(
    section(5, random.oneIn(2) ? [1, 4, ...minimum] : [1, 12, ...minimum, 0]),
    dataSection({ memoryIndex: 0, index: 'i64', offset: 2n ** BigInt(random.between(10, 62)), data: [1] }),
  );
};

const SHAPES = [
  manySegments,
  manyMemories,
  manyGlobals,
  longExpression,
  manyCustomSections,
  sparse,
  huge,
] as const;

export function adversarialModule(random: Random): Uint8Array {
  return random.pick(SHAPES)(random);
}
