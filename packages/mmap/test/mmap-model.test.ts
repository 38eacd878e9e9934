/**
 * Random page operations on a real map, compared with a plain model. The model knows which pages may be touched; nothing
 * else is. Where the kernel may refuse (a hint it was not built for, growing pages of several kinds), a refusal must have
 * changed nothing.
 */

import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';

import { ADVICES } from '../src/operations/advice.js';
import { memoryImage, Mmap, platform, SystemError, type Access, type Advice } from '../src/index.js';

const { pageSize } = platform();
const NUM_PAGES = 10;
/** What resizes stay below. */
const MAX_PAGES = 14;

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
  /** Locked pages refuse to be dropped. */
  locked: boolean;
}

const zeroPage = (): Page => ({
  access: 'none',
  bytes: new Uint8Array(pageSize),
  origin: new Uint8Array(pageSize),
  locked: false,
});

type PageMethod = Exclude<
  keyof Mmap,
  | 'address'
  | 'byteLength'
  | 'closed'
  | 'share'
  | 'view'
  | 'detachView'
  | 'close'
  | 'closeAsync'
  | typeof Symbol.dispose
  | typeof Symbol.asyncDispose
>;

interface Arguments {
  readonly page: number;
  readonly count: number;
  readonly access: Access;
  readonly image: number;
  readonly advice: Advice;
}

type Action = (map: Mmap, pages: Page[], args: Arguments) => void | Promise<void>;

function setAccess(pages: Page[], { page, count }: Pick<Arguments, 'page' | 'count'>, access: Access): void {
  for (const state of pages.slice(page, page + count)) state.access = access;
}

/** Makes a call that the kernel may refuse; whether it did not. */
function accepted(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SystemError);
    return false;
  }
}

function drop(states: Page[]): void {
  for (const state of states) state.bytes = Uint8Array.from(state.origin);
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
    const states = pages.slice(page, page + count);
    if (states.some(({ locked }) => locked)) {
      // Pages before the locked one may have gone already, so the outcome is settled at once.
      expect(() => map.decommit(page * pageSize, count * pageSize)).toThrow(SystemError);
      map.unlock(page * pageSize, count * pageSize);
      for (const state of states) state.locked = false;
    }
    map.decommit(page * pageSize, count * pageSize);
    drop(states);
  },
  decommitMany(map, pages, { page, count }) {
    const first = { offset: page * pageSize, byteLength: Math.min(1, count) * pageSize };
    const last = { offset: (page + Math.max(0, count - 1)) * pageSize, byteLength: first.byteLength };
    const states = count === 0 ? [] : [pages[page]!, pages[page + count - 1]!];
    for (const state of states) state.locked = false;
    if (count > 0) for (const { offset, byteLength } of [first, last]) map.unlock(offset, byteLength);
    map.decommitMany([last, first]);
    drop(states);
  },
  lock(map, pages, { page, count, access }) {
    const onFault = access === 'read';
    const locked = accepted(() => map.lock(page * pageSize, count * pageSize, { onFault }));
    if (locked) for (const state of pages.slice(page, page + count)) state.locked = true;
  },
  unlock(map, pages, { page, count }) {
    map.unlock(page * pageSize, count * pageSize);
    for (const state of pages.slice(page, page + count)) state.locked = false;
  },
  sync: (map, _, { page, count }) => map.sync(page * pageSize + Math.min(1, count), Math.max(0, count - 1)),
  syncAsync: (map, _, { page, count }) => map.syncAsync(page * pageSize, count * pageSize),
  advise(map, _, { page, count, advice }) {
    accepted(() => map.advise(page * pageSize, count * pageSize, advice));
  },
  async adviseAsync(map, _, { page, count, advice }) {
    const call = map.adviseAsync(page * pageSize, count * pageSize, advice);
    await call.catch((error: unknown) => expect(error).toBeInstanceOf(SystemError));
  },
  resident(map, _, { page, count }) {
    const { length } = map.residentPages(page * pageSize, count * pageSize);
    expect(length).toBe(count);
    const residentBytes = map.resident(page * pageSize, count * pageSize);
    expect(residentBytes % pageSize).toBe(0);
    expect(residentBytes).toBeLessThanOrEqual(count * pageSize);
  },
  residentPages(map, _, { page, count }) {
    const pages = map.residentPages(page * pageSize, count * pageSize);
    expect(pages.every((isResident) => isResident === 0 || isResident === 1)).toBe(true);
  },
  residentRanges(map, _, { page, count }) {
    const ranges = map.residentRanges(page * pageSize, count * pageSize);
    const residentBytes = ranges.reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(residentBytes).toBe(map.resident(page * pageSize, count * pageSize));
  },
  read(map, pages, { page, count }) {
    const states = pages.slice(page, page + count);
    const bytes = Buffer.concat(states.map((state) => state.bytes));
    const isReadable = accepted(() =>
      expect(Buffer.compare(map.read(page * pageSize, bytes.length), bytes)).toBe(0),
    );
    expect(isReadable).toBe(states.every(({ access }) => access !== 'none'));
  },
  readInto(map, pages, { page, count }) {
    const target = new Uint8Array(count * pageSize);
    const isReadable = accepted(() => map.readInto(target, page * pageSize));
    const states = pages.slice(page, page + count);
    expect(isReadable).toBe(states.every(({ access }) => access !== 'none'));
    if (isReadable) states.forEach((state, i) => expect(target[i * pageSize]).toBe(state.bytes[0]));
  },
  write(map, pages, { page, count, image }) {
    const states = pages.slice(page, page + count);
    const bytes = new Uint8Array(count * pageSize).fill(200 + image);
    const isWritable = accepted(() => map.write(page * pageSize, bytes));
    expect(isWritable).toBe(states.every(({ access }) => access === 'read-write'));
    // Up to the first page that refuses.
    for (const state of states) {
      if (state.access !== 'read-write') break;
      state.bytes.fill(200 + image);
    }
  },
  pageAccess(map, pages, { page, count }) {
    const accesses = map
      .pageAccess(page * pageSize, count * pageSize)
      .flatMap(({ byteLength, access }) => Array.from({ length: byteLength / pageSize }, () => access));
    expect(accesses).toEqual(pages.slice(page, page + count).map(({ access }) => access));
  },
  hold(map) {
    using hold = map.hold();
    expect(() => map.resize(pageSize)).toThrow(expect.objectContaining({ code: 'ERR_MMAP_BUSY' }) as Error);
    expect(hold.address).toBe(map.address);
  },
  protectWhile(map, pages, { page, count, access }) {
    const before = pages.map((state) => state.access);
    {
      using _ = map.protectWhile(page * pageSize, count * pageSize, access);
      setAccess(pages, { page, count }, access);
      compare(map, pages);
    }
    pages.forEach((state, index) => (state.access = before[index]!));
  },
  name(map, _, { page, count }) {
    accepted(() => map.name(`page ${page}`, page * pageSize, count * pageSize));
  },
  resize(map, pages, { page, count }) {
    const numPages = Math.max(1, Math.min(MAX_PAGES, page + count));
    const grown = numPages > pages.length;
    const resized = accepted(() => map.resize(numPages * pageSize));
    // Only growing needs pages of one kind.
    if (!grown) expect(resized).toBe(true);
    if (!resized) return;
    const { access, locked } = pages.at(-1)!;
    pages.length = Math.min(pages.length, numPages);
    while (pages.length < numPages) pages.push({ ...zeroPage(), access, locked });
    expect(map.byteLength).toBe(numPages * pageSize);
  },
  mapImageAt(map, pages, { page, access, image: index }) {
    const image = IMAGES[index]!;
    const count = image.byteLength / pageSize;
    if (page + count > pages.length) {
      expect(() => map.mapImageAt(image, page * pageSize)).toThrow(RangeError);
      return;
    }
    map.mapImageAt(image, page * pageSize, access);
    const bytes = new Uint8Array(image.byteLength);
    bytes.set(SOURCES[index] as Uint8Array);
    for (let i = 0; i < count; i++) {
      const origin = bytes.slice(i * pageSize, (i + 1) * pageSize);
      pages[page + i] = { access, origin, bytes: Uint8Array.from(origin), locked: false };
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

const args = fc.record({
  page: fc.nat(MAX_PAGES),
  count: fc.nat(MAX_PAGES),
  access: fc.constantFrom<Access>('none', 'read', 'read-write'),
  image: fc.nat(IMAGES.length - 1),
  // Not 'free', which leaves open what is read afterwards.
  advice: fc.constantFrom(...ADVICES.filter((advice) => advice !== 'free')),
});

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
      at: fc.nat(MAX_PAGES * pageSize - 1),
      byteLength: fc.integer({ min: 1, max: 3 * pageSize }),
      value: fc.nat(255),
    }),
  },
);

/** Writes into the pages from `at` on, as far as they can be written. */
function write(map: Mmap, pages: Page[], at: number, byteLength: number, value: number): void {
  const end = Math.min(at + byteLength, pages.length * pageSize);
  for (let from = at; from < end;) {
    const index = Math.floor(from / pageSize);
    const state = pages[index]!;
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

/** Arguments for any length, made to fit the map as it is now; resizing alone may ask for more. */
function fit(method: PageMethod, args: Arguments, numPages: number): Arguments {
  if (method === 'resize') return args;
  const page = Math.min(args.page, numPages);
  return { ...args, page, count: Math.min(args.count, numPages - page) };
}

it('a map behaves as its model after every step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      using map = Mmap.reserve(NUM_PAGES * pageSize);
      const pages = Array.from({ length: NUM_PAGES }, zeroPage);
      for (const next of steps) {
        if (next.kind === 'call')
          await ACTIONS[next.method](map, pages, fit(next.method, next.args, pages.length));
        else write(map, pages, next.at, next.byteLength, next.value);
        compare(map, pages);
      }
      // What became inaccessible must not have lost its contents.
      map.protect(0, map.byteLength, 'read');
      for (const state of pages) state.access = 'read';
      compare(map, pages);
    }),
    { numRuns: 500 },
  );
});
