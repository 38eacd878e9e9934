import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addBytes, multiplyBytes, pageAlignedBytes, roundUpToPage, SlabTooLargeError } from '../src/index.js';
import { maxBytes, subtractOrZero, ZERO_BYTES } from '../src/page-aligned-bytes.js';

const MAX = Number.MAX_SAFE_INTEGER;
const MAX_ALIGNED = MAX - (MAX % 4096);

const pageCount = fc
  .tuple(fc.integer({ min: 0, max: 41 }), fc.maxSafeNat())
  .map(([bits, n]) => n % 2 ** bits);
const count = fc.tuple(fc.integer({ min: 0, max: 53 }), fc.maxSafeNat()).map(([bits, n]) => n % 2 ** bits);

function resultOf(operation: () => number): bigint | 'too large' {
  try {
    return BigInt(operation());
  } catch (error) {
    if (error instanceof SlabTooLargeError) return 'too large';
    throw error;
  }
}

/** Runs the operation and compares it with the exact result. */
function expectExact(exact: bigint, operation: () => number): void {
  expect(resultOf(operation)).toBe(exact > BigInt(MAX) ? 'too large' : exact);
}

describe('page-aligned bytes', () => {
  it('have names of text, for these stand in errors', () => {
    const page = pageAlignedBytes(4096, 4096);
    const wrong = 5 as never;
    expect(() => pageAlignedBytes(1, 4096, wrong)).toThrow('"name" argument must be of type string');
    expect(() => roundUpToPage(-1, 4096, wrong)).toThrow('"name" argument must be of type string');
    expect(() => addBytes(page, page, wrong)).toThrow('"leftName" argument must be of type string');
    expect(() => addBytes(page, page, 'left', wrong)).toThrow('"rightName" argument must be of type string');
    expect(() => multiplyBytes(page, 2, wrong)).toThrow('"name" argument must be of type string');
    expect(() => multiplyBytes(page, 2, 'bytes', wrong)).toThrow(
      '"countName" argument must be of type string',
    );
  });

  it('pageAlignedBytes() takes multiples and refuses the rest', () => {
    for (const bytes of [0, 4096, 3 * 4096, MAX_ALIGNED]) expect(pageAlignedBytes(bytes, 4096)).toBe(bytes);
    for (const bytes of [1, 4095, 4097, MAX]) {
      expect(() => pageAlignedBytes(bytes, 4096, 'size')).toThrow(
        `"size" is out of range. It must be a multiple`,
      );
    }
    expect(() => pageAlignedBytes(-4096, 4096)).toThrow(RangeError);
    expect(() => pageAlignedBytes(4096, 0)).toThrow(/pageSize/);
    expect(() => pageAlignedBytes('4096' as unknown as number, 4096)).toThrow(TypeError);
  });

  it('roundUpToPage() gives the least multiple, or throws', () => {
    fc.assert(
      fc.property(count, fc.constantFrom(4096, 16_384, 65_536, 2 ** 30), (bytes, pageSize) => {
        const page = BigInt(pageSize);
        expectExact(((BigInt(bytes) + page - 1n) / page) * page, () => roundUpToPage(bytes, pageSize));
      }),
      { numRuns: 2000 },
    );
    expect(roundUpToPage(MAX_ALIGNED, 4096)).toBe(MAX_ALIGNED);
    expect(() => roundUpToPage(MAX_ALIGNED + 1, 4096)).toThrow(SlabTooLargeError);
  });

  it('addBytes() and multiplyBytes() are exact or throw', () => {
    fc.assert(
      fc.property(pageCount, pageCount, count, (leftPages, rightPages, times) => {
        const left = pageAlignedBytes(leftPages * 4096, 4096);
        const right = pageAlignedBytes(rightPages * 4096, 4096);
        expectExact(BigInt(left) + BigInt(right), () => addBytes(left, right));
        expectExact(BigInt(left) * BigInt(times), () => multiplyBytes(left, times));
      }),
      { numRuns: 5000 },
    );
    const page = pageAlignedBytes(4096, 4096);
    expect(addBytes(pageAlignedBytes(MAX_ALIGNED - 4096, 4096), page)).toBe(MAX_ALIGNED);
    expect(() => addBytes(pageAlignedBytes(MAX_ALIGNED, 4096), page)).toThrow(
      /left .* \+ right 0x1000 \(4 KiB\)/,
    );
    expect(() => multiplyBytes(page, 1.5)).toThrow(/"count"/);
    expect(() => multiplyBytes(page, -1)).toThrow(/"count"/);
  });

  it('are called bytes where nobody says what they are', () => {
    const negative = -4096 as never;
    expect(() => pageAlignedBytes(1, 4096)).toThrow('"bytes"');
    expect(() => roundUpToPage(-1, 4096)).toThrow('"bytes"');
    expect(() => multiplyBytes(negative, 2)).toThrow('"bytes"');
    expect(() => addBytes(negative, ZERO_BYTES)).toThrow('"left"');
    expect(() => addBytes(ZERO_BYTES, negative)).toThrow('"right"');
  });

  it('are rounded to real pages only', () => {
    for (const pageSize of [0, 1000, 12_288, 2048, 2 ** 31]) {
      expect(() => roundUpToPage(4096, pageSize)).toThrow(/pageSize/);
    }
  });

  it('are never less than none, and the larger of two is one of them', () => {
    const [page, pages] = [pageAlignedBytes(4096, 4096), pageAlignedBytes(12_288, 4096)];
    expect([subtractOrZero(pages, page), subtractOrZero(page, pages), subtractOrZero(page, page)]).toEqual([
      8192, 0, 0,
    ]);
    expect([maxBytes(page, pages), maxBytes(pages, page), maxBytes(page, page)]).toEqual([
      12_288, 12_288, 4096,
    ]);
  });
});
