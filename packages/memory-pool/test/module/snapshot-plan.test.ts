/** What a snapshot's image is made of: compared with the bytes that it must come to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoolCorruptedError } from '../../src/errors.js';
import { ImageFile, type ImagePart } from '../../src/module/image.js';
import { planSnapshot, type SnapshotScene, type Stretch } from '../../src/module/snapshot-plan.js';

const PAGE = 64;
const NUM_PAGES = 400;
/** Most parts of a plan, and fewer unchanged pages than this between two copied ones are copied along. */
const MAX_PARTS = 64;
const MIN_SHARED_PAGES = 16;

interface Scene {
  readonly scene: SnapshotScene;
  readonly memory: Uint8Array;
  readonly start: Uint8Array;
}

/** A memory that began with an image at `parts`, in pages, and then was written. */
function sceneOf(
  parts: readonly (readonly [first: number, pages: number])[],
  written: readonly { readonly page: number; readonly value: number | 'back' }[],
  knows: boolean,
): Scene {
  const file = new ImageFile(undefined, undefined);
  const start = new Uint8Array(NUM_PAGES * PAGE);
  const partBytes: Uint8Array[] = [];
  const imageParts: ImagePart[] = parts.map(([first, pages]) => {
    const bytes = new Uint8Array(pages * PAGE).map((_, i) => (i * 7 + first) & 255);
    start.set(bytes, first * PAGE);
    partBytes.push(bytes);
    return { file, fileOffset: 0, offsetBytes: first * PAGE, byteLength: pages * PAGE };
  });
  const memory = start.slice();
  for (const { page, value } of written) {
    if (value === 'back') memory.set(start.subarray(page * PAGE, (page + 1) * PAGE), page * PAGE);
    else memory.fill(value, page * PAGE, (page + 1) * PAGE);
  }
  const pages = [...new Set(written.map(({ page }) => page))].toSorted((a, b) => a - b);
  const scene = {
    parts: imageParts,
    readPart: (part: ImagePart, offset: number, target: Uint8Array) =>
      target.set(partBytes[imageParts.indexOf(part)]!.subarray(offset, offset + target.byteLength)),
    changed: knows
      ? pages.map((page) => ({ offset: page * PAGE, byteLength: PAGE }))
      : [{ offset: 0, byteLength: NUM_PAGES * PAGE }],
    byteLength: NUM_PAGES * PAGE,
    pageBytes: PAGE,
    read: (offset: number, target: Uint8Array) =>
      target.set(memory.subarray(offset, offset + target.byteLength)),
  };
  return { scene, memory, start };
}

/** The bytes that the plan makes. */
function built(stretches: readonly Stretch[], { memory, start }: Scene): Uint8Array {
  const bytes = new Uint8Array(memory.byteLength);
  for (const { from, start: first, end } of stretches) {
    if (from === 'copy') bytes.set(memory.subarray(first, end), first);
    else if (from !== 'zeros') bytes.set(start.subarray(first, end), first);
  }
  return bytes;
}

const partsArbitrary = fc.constantFrom(
  [],
  [[0, NUM_PAGES]] as const,
  [[10, 100]] as const,
  [
    [3, 40],
    [43, 50],
    [200, 150],
  ] as const,
);
const writtenArbitrary = fc.array(
  fc.record({
    page: fc.nat(NUM_PAGES - 1),
    value: fc.constantFrom<number | 'back'>(0, 1, 255, 'back'),
  }),
  { maxLength: 300 },
);

describe('the plan of a snapshot', () => {
  it('comes to the bytes of the memory, in stretches without gaps and few parts', () => {
    fc.assert(
      fc.property(partsArbitrary, writtenArbitrary, fc.boolean(), (parts, written, knows) => {
        const made = sceneOf(parts, written, knows);
        const stretches = planSnapshot(made.scene);
        expect(Buffer.compare(built(stretches, made), made.memory)).toBe(0);
        let at = 0;
        for (const [i, { from, start, end }] of stretches.entries()) {
          expect(start).toBe(at);
          expect(end).toBeGreaterThan(start);
          expect(stretches[i + 1]?.from).not.toBe(from);
          at = end;
        }
        expect(at).toBe(made.memory.byteLength);
        expect(stretches.filter(({ from }) => from !== 'zeros').length).toBeLessThanOrEqual(MAX_PARTS);
      }),
    );
  });

  it('copies what was written and no more than the short stretches between', () => {
    const written = [50, 52, 60, 300].map((page) => ({ page, value: 1 }));
    const made = sceneOf([[0, NUM_PAGES]], written, true);
    expect(planSnapshot(made.scene)).toEqual([
      { from: 0, start: 0, end: 50 * PAGE },
      { from: 'copy', start: 50 * PAGE, end: 61 * PAGE },
      { from: 0, start: 61 * PAGE, end: 300 * PAGE },
      { from: 'copy', start: 300 * PAGE, end: 301 * PAGE },
      { from: 0, start: 301 * PAGE, end: NUM_PAGES * PAGE },
    ]);
  });

  it('shares what was written as it was, and makes holes of zeros', () => {
    const zeroed = Array.from({ length: MIN_SHARED_PAGES }, (_, i) => ({ page: 100 + i, value: 0 as const }));
    const made = sceneOf([[0, NUM_PAGES]], [{ page: 5, value: 'back' }, ...zeroed], true);
    expect(planSnapshot(made.scene)).toEqual([
      { from: 0, start: 0, end: 100 * PAGE },
      { from: 'zeros', start: 100 * PAGE, end: (100 + MIN_SHARED_PAGES) * PAGE },
      { from: 0, start: (100 + MIN_SHARED_PAGES) * PAGE, end: NUM_PAGES * PAGE },
    ]);
  });

  it.each<[string, Partial<SnapshotScene>]>([
    ['a memory of a page and a half', { byteLength: 1.5 * PAGE }],
    ['changes of half a page', { changed: [{ offset: PAGE, byteLength: PAGE / 2 }] }],
    ['changes from the middle of a page on', { changed: [{ offset: PAGE / 2, byteLength: PAGE }] }],
    ['changes that go back', { changed: [8, 4].map((page) => ({ offset: page * PAGE, byteLength: PAGE })) }],
    ['changes twice', { changed: [8, 8].map((page) => ({ offset: page * PAGE, byteLength: PAGE })) }],
    [
      'parts that go back',
      {
        parts: sceneOf(
          [
            [40, 9],
            [3, 9],
          ],
          [],
          true,
        ).scene.parts,
      },
    ],
    [
      'parts over one another',
      {
        parts: sceneOf(
          [
            [3, 9],
            [11, 9],
          ],
          [],
          true,
        ).scene.parts,
      },
    ],
  ])('refuses %s', (_, wrong) => {
    const { scene } = sceneOf(
      [
        [3, 40],
        [43, 50],
      ],
      [{ page: 5, value: 1 }],
      true,
    );
    expect(() => planSnapshot({ ...scene, ...wrong })).toThrow(PoolCorruptedError);
  });

  it('a memory of nothing', () => {
    const made = sceneOf([], [], true);
    expect(planSnapshot(made.scene)).toEqual([{ from: 'zeros', start: 0, end: NUM_PAGES * PAGE }]);
    expect(planSnapshot({ ...made.scene, changed: [], byteLength: 0 })).toEqual([]);
  });
});
