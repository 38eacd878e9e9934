import * as fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { PoolCorruptedError } from '../../../src/errors.js';
import { parseModule, planImages, type ImagePlan, type ImagePlans } from '../../../src/wasm/index.js';
import {
  encodeModule,
  type MemoryShape,
  type ModuleShape,
  type SegmentShape,
} from '@guardstripe/wasm-builder';
import { v8 } from '../v8.js';

const WASM_PAGE = 65_536;
const HOST_PAGES = [4096, 16_384, 65_536];

function planAll(module: ModuleShape, hostPageSize = 4096): ImagePlans {
  return planImages(parseModule(encodeModule(module)), hostPageSize);
}

const plan = (module: ModuleShape, hostPageSize?: number): readonly ImagePlan[] =>
  planAll(module, hostPageSize).plans;

/** The memory a plan makes. */
function materialize({ plans, contents }: ImagePlans, index: number, byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  const planned = plans[index];
  if (planned?.kind === 'image') {
    const { offsetBytes, contentsOffset } = planned;
    bytes.set(contents.subarray(contentsOffset, contentsOffset + planned.byteLength), offsetBytes);
  }
  if (planned?.kind === 'segments') for (const { offset, data } of planned.segments) bytes.set(data, offset);
  return bytes;
}

function instantiate(bytes: Uint8Array): Record<string, { readonly buffer: ArrayBuffer }> | undefined {
  try {
    return new v8.Instance(new v8.Module(bytes)).exports;
  } catch (error) {
    if (error instanceof v8.RuntimeError) return undefined;
    throw error;
  }
}

const numMemories = 3;
const offset = fc.oneof(
  fc.integer({ min: 0, max: 3 * WASM_PAGE }),
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 8 }).map((pages) => pages * 4096),
  fc.integer({ min: 0, max: 3 }).map((pages) => pages * WASM_PAGE),
);
const segment: fc.Arbitrary<SegmentShape> = fc.record({
  memoryIndex: fc.nat({ max: numMemories - 1 }),
  offset: offset.map(BigInt),
  data: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
});
const longSegment: fc.Arbitrary<SegmentShape> = fc.record({
  memoryIndex: fc.nat({ max: numMemories - 1 }),
  offset: offset.map(BigInt),
  data: fc
    .tuple(fc.nat(255), fc.integer({ min: 60, max: 9000 }))
    .map(([fill, length]) => Array.from({ length }, () => fill)),
});
const passive: fc.Arbitrary<SegmentShape> = fc.record({ data: fc.array(fc.nat(255), { maxLength: 4 }) });
/** Node 22.12 has no 64-bit memories. */
const indexTypes = (['i32', 'i64'] as const).filter((index) =>
  v8.validate(encodeModule({ memories: [{ minimum: 1n, index }] })),
);
const memory: fc.Arbitrary<MemoryShape> = fc.record({
  minimum: fc.bigInt({ min: 0n, max: 3n }),
  index: fc.constantFrom(...indexTypes),
});
const randomModule = fc.record({
  memories: fc.array(memory, { minLength: numMemories, maxLength: numMemories }),
  segments: fc.array(
    fc.oneof({ weight: 6, arbitrary: segment }, { weight: 2, arbitrary: longSegment }, passive),
    {
      maxLength: 8,
    },
  ),
});

describe("against V8's own memories", () => {
  it.each(HOST_PAGES)('gives every byte, or says that it traps, with host pages of %i', (hostPageSize) => {
    const seen = { same: 0, traps: 0 };
    fc.assert(
      fc.property(randomModule, (module) => {
        const bytes = encodeModule(module);
        const all = planImages(parseModule(bytes), hostPageSize);
        const { plans } = all;
        const exported = instantiate(bytes);
        expect(exported === undefined).toBe(plans.some(({ kind }) => kind === 'out-of-bounds'));
        if (exported === undefined) return void seen.traps++;
        seen.same++;
        for (const [index, planned] of plans.entries()) {
          const actual = Buffer.from(exported[`m${index}`]?.buffer ?? new ArrayBuffer(0));
          expect(materialize(all, index, actual.length).equals(actual)).toBe(true);
          if (planned.kind !== 'image') continue;
          expect(planned.offsetBytes % hostPageSize).toBe(0);
          expect(planned.contentsOffset % hostPageSize).toBe(0);
          expect(planned.byteLength % hostPageSize).toBe(0);
          expect(planned.offsetBytes + planned.byteLength).toBeLessThanOrEqual(actual.length);
        }
      }),
      { numRuns: laps(300, 100) },
    );
    expect(seen.same).toBeGreaterThan(20);
    expect(seen.traps).toBeGreaterThan(20);
  });
});

/** Two segments of `length` bytes, the second at `bytes`. */
const apart = (bytes: bigint, length: number): ImagePlan | undefined =>
  plan({
    memories: [{ minimum: 100n }],
    segments: [0n, bytes].map((at) => ({
      memoryIndex: 0,
      offset: at,
      data: Array.from({ length }, () => 1),
    })),
  })[0];

describe('planImages', () => {
  it('plans every memory, and gives nothing to imported ones', () => {
    const memories = [
      { minimum: 1n, importName: ['env', 'a'] as const },
      { minimum: 1n, importName: ['env', 'b'] as const },
      { minimum: 1n },
      { minimum: 1n },
      { minimum: 0n },
    ];
    const segments = [
      { memoryIndex: 0, offset: 70_000n, data: [1] },
      { memoryIndex: 3, offset: 5000n, data: [1, 2] },
      { memoryIndex: 4, offset: 0n, data: [] },
    ];
    expect(plan({ memories, segments })).toMatchObject([
      { kind: 'imported' },
      { kind: 'imported' },
      { kind: 'none' },
      { kind: 'image', offsetBytes: 4096, byteLength: 4096 },
      { kind: 'none' },
    ]);
  });

  it('lets later segments win', () => {
    const segments = [
      { memoryIndex: 0, offset: 0n, data: [1, 1, 1, 1] },
      { memoryIndex: 0, offset: 2n, data: [2, 2, 2] },
      { memoryIndex: 0, offset: 1n, data: [3] },
    ];
    const all = planAll({ memories: [{ minimum: 1n }], segments });
    expect([...materialize(all, 0, WASM_PAGE).subarray(0, 8)]).toEqual([1, 3, 2, 2, 2, 0, 0, 0]);
  });

  it.each([
    ['empty at the end', 65_536n, [], 'none'],
    ['empty behind the end', 65_537n, [], 'out-of-bounds'],
    ['up to the end', 65_535n, [1], 'image'],
    ['over the end', 65_535n, [1, 2], 'out-of-bounds'],
    ['a negative offset', 2n ** 32n - 1n, [1], 'out-of-bounds'],
    ['a computed offset', [0x41, 1, 0x41, 2, 0x6a], [1], 'image'],
    ['a computed offset over the end', [0x41, 1, 0x41, 2, 0x6b], [1], 'out-of-bounds'],
  ])('%s', (_, at, data, kind) => {
    const fine = { memoryIndex: 0, offset: 3n, data: [] };
    const [planned] = plan({
      memories: [{ minimum: 1n }],
      segments: [fine, fine, { memoryIndex: 0, offset: at, data }],
    });
    expect(planned?.kind).toBe(kind);
  });

  it('says which segment is out of bounds, and of what', () => {
    const segments = [3n, 65_533n, 65_534n, 65_535n].map((at) => ({
      memoryIndex: 0,
      offset: at,
      data: [1, 2, 3],
    }));
    expect(plan({ memories: [{ minimum: 1n }], segments })[0]).toEqual({
      kind: 'out-of-bounds',
      segmentIndex: 2,
      offset: 65_534n,
      byteLength: 3,
      initialBytes: 65_536n,
    });
  });

  it('says out of bounds even if another offset is not known: it traps either way', () => {
    const globals = [{ type: 'i32', importName: ['env', 'base'] }] as const;
    const segments = [
      { memoryIndex: 0, offset: [0x23, 0], data: [1] },
      { memoryIndex: 0, offset: 65_536n, data: [1] },
    ];
    const kinds = [segments, segments.slice(0, 1)].map(
      (some) => plan({ memories: [{ minimum: 1n }], globals, segments: some })[0]?.kind,
    );
    expect(kinds).toEqual(['out-of-bounds', 'unsupported']);
  });

  it('keeps to exact sizes where numbers end', () => {
    const memories = [{ minimum: 2n ** 48n, index: 'i64' as const }];
    const at = (offsetBytes: bigint): ImagePlan | undefined =>
      plan({ memories, segments: [{ memoryIndex: 0, offset: offsetBytes, data: [1] }] })[0];
    expect(at(2n ** 64n - 1n)).toMatchObject({ kind: 'unsupported', reason: 'offset too large' });
    expect(at(2n ** 52n)).toMatchObject({ kind: 'image', offsetBytes: 2 ** 52 });
  });

  it('writes segments where the last page is not whole', () => {
    const memories = [{ minimum: 10_000n, pageSizeLog2: 0 }];
    const at = (offsetBytes: bigint): ImagePlan | undefined =>
      plan({ memories, segments: [{ memoryIndex: 0, offset: offsetBytes, data: [7] }] })[0];
    expect(at(8191n)).toMatchObject({ kind: 'image', offsetBytes: 4096 });
    expect(at(8192n)).toMatchObject({
      kind: 'segments',
      reason: 'partial page',
      segments: [{ offset: 8192 }],
    });
    expect(at(10_000n)?.kind).toBe('out-of-bounds');
  });

  it('makes no image that is nearly all zeros', () => {
    expect(apart(2n ** 20n - 1n, 1)).toMatchObject({ kind: 'image', byteLength: 2 ** 20 });
    expect(apart(2n ** 20n, 1)).toMatchObject({ kind: 'segments', reason: 'sparse' });
    // 2 x 160 KiB of data: four times that is 1,280 KiB.
    expect(apart(1120n * 1024n, 160 * 1024)).toMatchObject({ kind: 'image', byteLength: 1280 * 1024 });
    expect(apart(1120n * 1024n + 1n, 160 * 1024)).toMatchObject({ kind: 'segments', reason: 'sparse' });
  });

  it('bounds the images of all memories together, whatever their number', () => {
    const memories = Array.from({ length: 1000 }, () => ({ minimum: 16n }));
    const segments = memories.map((_, memoryIndex) => ({ memoryIndex, offset: 9n, data: [1] }));
    const kinds = plan({ memories, segments }, 65_536).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'image')).toHaveLength(16);
    expect(kinds.filter((kind) => kind === 'segments')).toHaveLength(984);
  });

  it.each([0, -4096, 2048, 5000, Number.NaN, Infinity, 2 ** 31])(
    'refuses host pages of %d bytes',
    (hostPageSize) => {
      expect(() => plan({ memories: [] }, hostPageSize)).toThrow(RangeError);
    },
  );

  it('refuses host pages that are no number', () => {
    expect(() => plan({ memories: [] }, '4096' as unknown as number)).toThrow(TypeError);
  });
});

describe('segments that are not where they were read', () => {
  const parsed = parseModule(
    encodeModule({
      memories: [{ minimum: 1 }],
      segments: [{ memoryIndex: 0, offset: 8n, data: Array.from({ length: 90 }, () => 7) }],
    }),
  );

  it.each([90, 89, 40])(
    'are an error, not an image with less in it: %i bytes of the module are gone',
    (gone) => {
      const bytes = parsed.bytes.subarray(0, -gone);
      expect(() => planImages({ ...parsed, bytes }, 4096)).toThrow(PoolCorruptedError);
    },
  );
});
