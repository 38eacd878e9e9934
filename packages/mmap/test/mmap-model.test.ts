/**
 * Random page operations on a real map, compared with a plain model. The model knows which pages may be touched; nothing
 * else is.
 */

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, type Access } from '../src/index.js';

const { pageSize } = platform();
const NUM_PAGES = 10;

const pattern = (seed: number, byteLength: number) =>
  Uint8Array.from({ length: byteLength }, (_, i) => (i * 31 + seed) % 256);
const SOURCES = [pattern(1, 100), pattern(2, 2 * pageSize), pattern(3, 4 * pageSize - 1)];
const IMAGES = SOURCES.map((bytes) => memoryImage(bytes));
afterAll(() => IMAGES.forEach((image) => image.close()));

interface Page {
  access: Access;
  /** What the page reads now. */
  bytes: Uint8Array;
  /** What it reads again once its contents are dropped. */
  origin: Uint8Array;
}

const zeroPage = (): Page => ({
  access: 'none',
  bytes: new Uint8Array(pageSize),
  origin: new Uint8Array(pageSize),
});

type PageMethod = Exclude<
  keyof Mmap,
  'address' | 'byteLength' | 'closed' | 'view' | 'detachView' | 'close' | typeof Symbol.dispose
>;

interface Arguments {
  readonly page: number;
  readonly count: number;
  readonly access: Access;
  readonly image: number;
}

type Action = (map: Mmap, pages: Page[], args: Arguments) => void;

function setAccess(pages: Page[], { page, count }: Arguments, access: Access): void {
  for (const state of pages.slice(page, page + count)) state.access = access;
}

/** One action a method: a new one does not compile without. */
const ACTIONS: Record<PageMethod, Action> = {
  makeAccessible(map, pages, args) {
    map.makeAccessible(args.page * pageSize, args.count * pageSize);
    setAccess(pages, args, 'read-write');
  },
  makeInaccessible(map, pages, args) {
    map.makeInaccessible(args.page * pageSize, args.count * pageSize);
    setAccess(pages, args, 'none');
  },
  protect(map, pages, args) {
    map.protect(args.page * pageSize, args.count * pageSize, args.access);
    setAccess(pages, args, args.access);
  },
  /** A processor without keys refuses even the default one, and nothing may have changed then. */
  protectWithKey(map, pages, args) {
    try {
      map.protectWithKey(args.page * pageSize, args.count * pageSize, args.access, 0);
    } catch (error) {
      expect(error).toMatchObject({ syscall: 'pkey_mprotect', code: 'EINVAL' });
      return;
    }
    setAccess(pages, args, args.access);
  },
  decommit(map, pages, { page, count }) {
    map.decommit(page * pageSize, count * pageSize);
    for (const state of pages.slice(page, page + count)) state.bytes = Uint8Array.from(state.origin);
  },
  mapImageAt(map, pages, { page, access, image: index }) {
    const image = IMAGES[index] as (typeof IMAGES)[0];
    const count = image.byteLength / pageSize;
    if (page + count > NUM_PAGES) {
      expect(() => map.mapImageAt(image, page * pageSize)).toThrow(RangeError);
      return;
    }
    map.mapImageAt(image, page * pageSize, access);
    const bytes = new Uint8Array(image.byteLength);
    bytes.set(SOURCES[index] as Uint8Array);
    for (let i = 0; i < count; i++) {
      const origin = bytes.slice(i * pageSize, (i + 1) * pageSize);
      pages[page + i] = { access, origin, bytes: Uint8Array.from(origin) };
    }
  },
  remapAsZerosAt(map, pages, { page, count, access }) {
    map.remapAsZerosAt(page * pageSize, count * pageSize, access);
    for (let i = page; i < page + count; i++) pages[i] = { ...zeroPage(), access };
  },
};

type Step =
  | { readonly kind: 'call'; readonly method: PageMethod; readonly args: Arguments }
  | { readonly kind: 'write'; readonly at: number; readonly byteLength: number; readonly value: number };

const args = fc
  .record({
    page: fc.nat(NUM_PAGES),
    count: fc.nat(NUM_PAGES),
    access: fc.constantFrom<Access>('none', 'read', 'read-write'),
    image: fc.nat(IMAGES.length - 1),
  })
  .map(({ page, count, access, image }) => ({
    page,
    count: Math.min(count, NUM_PAGES - page),
    access,
    image,
  }));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('call'),
      method: fc.constantFrom(...(Object.keys(ACTIONS) as PageMethod[])),
      args,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('write'),
      at: fc.nat(NUM_PAGES * pageSize - 1),
      byteLength: fc.integer({ min: 1, max: 3 * pageSize }),
      value: fc.nat(255),
    }),
  },
);

/** Writes into the pages from `at` on, as far as they can be written. */
function write(map: Mmap, pages: Page[], at: number, byteLength: number, value: number): void {
  const end = Math.min(at + byteLength, NUM_PAGES * pageSize);
  for (let from = at; from < end;) {
    const index = Math.floor(from / pageSize);
    const state = pages[index] as Page;
    const to = Math.min(end, (index + 1) * pageSize);
    if (state.access !== 'read-write') return;
    new Uint8Array(map.view(from, to - from)).fill(value);
    state.bytes.fill(value, from - index * pageSize, to - index * pageSize);
    from = to;
  }
}

function compare(map: Mmap, pages: Page[]): void {
  pages.forEach((state, index) => {
    if (state.access === 'none') return;
    const real = new Uint8Array(map.view(index * pageSize, pageSize));
    if (Buffer.compare(real, state.bytes) === 0) return;
    const at = real.findIndex((byte, i) => byte !== state.bytes[i]);
    expect({ page: index, at, byte: real[at] }).toEqual({ page: index, at, byte: state.bytes[at] });
  });
}

it('a map behaves as its model after every step', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      using map = Mmap.reserve(NUM_PAGES * pageSize);
      const pages = Array.from({ length: NUM_PAGES }, zeroPage);
      for (const next of steps) {
        if (next.kind === 'call') ACTIONS[next.method](map, pages, next.args);
        else write(map, pages, next.at, next.byteLength, next.value);
        compare(map, pages);
      }
      // What became inaccessible must not have lost its contents.
      map.protect(0, map.byteLength, 'read');
      for (const state of pages) state.access = 'read';
      compare(map, pages);
    }),
    { numRuns: 300 },
  );
});
