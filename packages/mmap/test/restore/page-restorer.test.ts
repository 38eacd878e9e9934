import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import {
  memoryImage,
  Mmap,
  MmapClosedError,
  PageRestorer,
  platform,
  type RestoreStrategy,
} from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { expectSame, imageBytes, scene } from '../support/scene.js';

const { pageSize } = platform();
const STRATEGIES = (['scan', 'watch', 'copy', 'drop'] as const).filter((strategy) =>
  PageRestorer.isSupported(strategy),
);
const CHOICES: readonly (readonly RestoreStrategy[])[] = [
  ...STRATEGIES.map((strategy) => [strategy]),
  STRATEGIES,
  STRATEGIES.filter((strategy) => strategy !== 'watch'),
];

const NUM_PAGES = 48;
const partsArbitrary = fc.constantFrom(
  [],
  [{ page: 0, pages: 5, mapped: true }],
  [{ page: 7, pages: 5, mapped: true }],
  [{ page: 7, pages: 5, mapped: false }],
  [
    { page: 1, pages: 2, mapped: false },
    { page: 3, pages: 2, mapped: true },
    { page: 20, pages: 9, mapped: false },
    { page: 40, pages: 8, mapped: true },
  ],
  [{ page: 0, pages: NUM_PAGES, mapped: true }],
  [{ page: 0, pages: NUM_PAGES, mapped: false }],
);
const actArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('write' as const),
      page: fc.nat(NUM_PAGES - 1),
      byte: fc.nat(255),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('read' as const), page: fc.nat(NUM_PAGES - 1) }) },
  { weight: 1, arbitrary: fc.constant({ act: 'zero all' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'write all' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'read all' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('limits' as const), write: fc.nat(60), resident: fc.nat(60) }),
  },
  { weight: 6, arbitrary: fc.constant({ act: 'restore' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'drop all' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'unwatch' as const }) },
);

describe('PageRestorer', () => {
  it.each(CHOICES.map((strategies) => [strategies.join(', '), strategies] as const))(
    '%s: whatever was written and read, the bytes of the start',
    (_, strategies) => {
      fc.assert(
        fc.property(
          partsArbitrary,
          fc.boolean(),
          fc.array(actArbitrary, { minLength: 1, maxLength: 40 }),
          (parts, clean, acts) => {
            using world = scene(NUM_PAGES, parts);
            const { map, bytes, start, images } = world;
            using restorer = new PageRestorer({ map }, { images, strategies, clean });
            let sum = 0;
            for (const act of acts) {
              if (act.act === 'write') bytes[act.page * pageSize + ((act.page * 97) % pageSize)] = act.byte;
              else if (act.act === 'read') sum += bytes[act.page * pageSize] ?? 0;
              else if (act.act === 'zero all') bytes.fill(0);
              else if (act.act === 'write all')
                for (let at = 5; at < bytes.length; at += pageSize) bytes[at] = 211;
              else if (act.act === 'read all')
                for (let at = 5; at < bytes.length; at += pageSize) sum += bytes[at] ?? 0;
              else if (act.act === 'limits')
                restorer.setLimits(act.write * pageSize, act.resident * pageSize);
              else if (act.act === 'unwatch') restorer.unwatch();
              else {
                if (act.act === 'restore') restorer.restore();
                else restorer.dropAll();
                expectSame(bytes, start);
              }
            }
            restorer.restore();
            expectSame(bytes, start);
            expect(sum).toBeGreaterThanOrEqual(0);
          },
        ),
        { numRuns: laps(150, 20) },
      );
    },
  );

  it('foreign pages: the same, by address', () => {
    using world = scene(NUM_PAGES, [{ page: 3, pages: 4, mapped: false }]);
    const { map, bytes, start, images } = world;
    using restorer = new PageRestorer(
      { address: map.address, byteLength: map.byteLength },
      { images, clean: true },
    );
    for (let round = 0; round < 5; round++) {
      bytes.fill(round + 1, 2 * pageSize, 5 * pageSize);
      restorer.restore();
      expectSame(bytes, start);
    }
  });

  it('a part of a map: its neighbours are not touched', () => {
    for (const strategies of CHOICES) {
      using map = Mmap.anonymous(30 * pageSize);
      const bytes = new Uint8Array(map.view());
      using restorer = new PageRestorer(
        { map, offset: 10 * pageSize, byteLength: 10 * pageSize },
        { strategies, clean: true },
      );
      for (let round = 0; round < 6; round++) {
        bytes.fill(9);
        restorer.restore();
        const expected = new Uint8Array(30 * pageSize).fill(9).fill(0, 10 * pageSize, 20 * pageSize);
        expectSame(bytes, expected);
      }
    }
  });

  it('other images, and another range: what they say from then on', () => {
    for (const strategies of CHOICES) {
      using world = scene(20, [{ page: 2, pages: 3, mapped: false }]);
      const { map, bytes, start, images } = world;
      using restorer = new PageRestorer(
        { map, byteLength: 10 * pageSize },
        { images, strategies, clean: true },
      );
      bytes.fill(5);
      restorer.restore();
      expectSame(bytes.subarray(0, 10 * pageSize), start.subarray(0, 10 * pageSize));
      const other = { offset: 8 * pageSize, bytes: imageBytes(2, 99), mapped: false };
      restorer.setImages([other]);
      restorer.restore();
      const expected = new Uint8Array(20 * pageSize);
      expected.set(other.bytes, other.offset);
      expectSame(bytes.subarray(0, 10 * pageSize), expected.subarray(0, 10 * pageSize));
      expect(bytes[10 * pageSize]).toBe(5);
      restorer.setRange({ map });
      restorer.restore();
      expectSame(bytes, expected);
      expect(() => restorer.setRange({ map, byteLength: 9 * pageSize })).toThrow(RangeError);
      bytes.fill(3);
      restorer.restore();
      expectSame(bytes, expected);
    }
  });

  it('says what may have changed', () => {
    for (const strategies of CHOICES) {
      using world = scene(20, [{ page: 2, pages: 3, mapped: true }]);
      const { map, bytes, images } = world;
      using restorer = new PageRestorer({ map }, { images, strategies, clean: true });
      for (const page of [3, 4, 11]) bytes[page * pageSize] = 77;
      const changed = restorer.changedRanges();
      const total = changed.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(restorer.changedBytes()).toBe(total);
      const covers = (page: number) =>
        changed.some(
          ({ offset, byteLength }) => offset <= page * pageSize && page * pageSize < offset + byteLength,
        );
      expect([3, 4, 11].every(covers)).toBe(true);
      // A system that can look finds these pages and no others.
      expect(total).toBe(platform().canScanDirtyPages ? 3 * pageSize : map.byteLength);
    }
  });

  it('keeps no more than it may', () => {
    for (const strategies of CHOICES) {
      using map = Mmap.anonymous(64 * pageSize);
      map.advise(0, map.byteLength, 'nohugepage');
      const bytes = new Uint8Array(map.view());
      using restorer = new PageRestorer(
        { map },
        { strategies, maxResidentBytes: 10 * pageSize, maxWriteBackBytes: 7 * pageSize },
      );
      for (let round = 0; round < 8; round++) {
        bytes.fill(round + 1, 0, (round + 1) * 8 * pageSize);
        const { bytesWritten, bytesResident } = restorer.restore();
        expect(bytesWritten).toBeLessThanOrEqual(7 * pageSize);
        expect(bytesResident).toBeLessThanOrEqual(10 * pageSize);
        expect(map.resident()).toBeLessThanOrEqual(10 * pageSize);
        expect(bytes.every((byte) => byte === 0)).toBe(true);
        // Reading has brought pages in; they are nobody's.
        map.decommit(0, map.byteLength);
      }
    }
  });

  it('leaves the last drop to the caller who wants that', () => {
    using map = Mmap.anonymous(64 * pageSize);
    const bytes = new Uint8Array(map.view());
    using restorer = new PageRestorer({ map }, { maxWriteBackBytes: 4 * pageSize });
    bytes.fill(1);
    const { leftOffset, leftBytes } = restorer.writeBack();
    expect([leftOffset, leftBytes]).toEqual([4 * pageSize, 60 * pageSize]);
    expect(bytes[4 * pageSize]).toBe(1);
    map.decommit(leftOffset, leftBytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(restorer.restore().leftBytes).toBe(0);
  });

  it('closed, or over a closed map: says so, and touches nothing', () => {
    for (const strategies of CHOICES) {
      const map = Mmap.anonymous(4 * pageSize);
      const restorer = new PageRestorer({ map }, { strategies, clean: true });
      map.close();
      expect(() => restorer.restore()).toThrow(MmapClosedError);
      expect(() => restorer.changedBytes()).toThrow(MmapClosedError);
      restorer.close();
      restorer.close();
      expect(restorer.closed).toBe(true);
      for (const call of [
        'restore',
        'writeBack',
        'dropAll',
        'changedBytes',
        'changedRanges',
        'unwatch',
      ] as const)
        expect(() => restorer[call]()).toThrow(expect.objectContaining({ code: 'ERR_RESTORER_CLOSED' }));
    }
  });

  it('an image whose buffer is gone: dropped if mapped, refused if not', () => {
    for (const mapped of [true, false]) {
      const bytes = imageBytes(2, 1);
      using map = Mmap.anonymous(8 * pageSize);
      if (mapped) {
        using image = memoryImage(bytes);
        map.mapImageAt(image, 0);
      } else new Uint8Array(map.view()).set(bytes);
      using restorer = new PageRestorer({ map }, { images: [{ offset: 0, bytes, mapped }] });
      const view = new Uint8Array(map.view());
      view.fill(200);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      if (mapped) {
        restorer.restore();
        expect([view[1], view[2 * pageSize]]).toEqual([32, 0]);
      } else {
        expect(() => restorer.restore()).toThrow(
          expect.objectContaining({ code: 'ERR_RESTORER_IMAGE_DETACHED' }),
        );
      }
    }
  });

  it('takes an image of another realm', () => {
    using map = Mmap.anonymous(2 * pageSize);
    const bytes = runInNewContext('(bytes) => Uint8Array.from(bytes)')(imageBytes(1, 0)) as Uint8Array;
    using restorer = new PageRestorer({ map }, { images: [{ offset: pageSize, bytes, mapped: false }] });
    restorer.restore();
    expectSame(new Uint8Array(map.view()).subarray(pageSize), new Uint8Array(bytes));
  });

  it('refuses what is no range, no image, no limit and no strategy', () => {
    using map = Mmap.anonymous(4 * pageSize);
    const bytes = imageBytes(1, 0);
    const image = { offset: 0, bytes, mapped: true };
    for (const range of [
      undefined,
      {},
      { map: 1 },
      { map, offset: 1 },
      { map, byteLength: 5 * pageSize },
      { address: 1, byteLength: pageSize },
      { address: 0, byteLength: pageSize },
      { address: pageSize, byteLength: 7 },
    ])
      expect(() => new PageRestorer(range as never)).toThrow(/(argument|property) must|out of range/);
    for (const images of [
      1,
      [1],
      [{ ...image, offset: 1 }],
      [{ ...image, offset: 4 * pageSize }],
      [{ ...image, bytes: [] }],
      [{ ...image, bytes: new Uint8Array(3) }],
      [{ ...image, bytes: new Uint8Array(0) }],
      [{ ...image, bytes: new Uint8Array(new SharedArrayBuffer(pageSize)) }],
      [{ ...image, bytes: { map: 1 } }],
      [{ ...image, bytes: { map, offset: 1 } }],
      [{ ...image, bytes: { map, byteLength: 0 } }],
      [{ ...image, bytes: { map, offset: pageSize, byteLength: 4 * pageSize } }],
      [{ ...image, mapped: 1 }],
      [image, image],
    ])
      expect(() => new PageRestorer({ map }, { images: images as never })).toThrow(
        /(argument|property) must|out of range/,
      );
    for (const maxResidentBytes of [-1, 0.5, Number.NaN, '1'])
      expect(() => new PageRestorer({ map }, { maxResidentBytes: maxResidentBytes as never })).toThrow(
        /(argument|property) must|out of range/,
      );
    for (const strategies of ['scan', [], ['fly'], [1]])
      expect(() => new PageRestorer({ map }, { strategies: strategies as never })).toThrow(TypeError);
    expect(() => new PageRestorer({ map }, { clean: 1 as never })).toThrow(TypeError);
    expect(() => new PageRestorer({ map }, { onRefusal: 1 as never })).toThrow(TypeError);
    expect(() => PageRestorer.isSupported('fly' as never)).toThrow(TypeError);
  });
});

describe('a PageRestorer that the system refuses', () => {
  const CALLS = [
    'scanPages',
    'scanOwnPages',
    'scanWrittenPages',
    'scanUnwrittenPages',
    'protectWrittenPages',
    'watchWrites',
    'unwatchWrites',
    'decommit',
    'decommitMany',
  ] as const;

  it.each(CALLS)('%s: the bytes of the start all the same, and it says so', (failing) => {
    for (const strategies of CHOICES) {
      for (const mapped of [true, false]) {
        using world = scene(NUM_PAGES, [{ page: 5, pages: 20, mapped }]);
        const { map, bytes, start, images } = world;
        const faulty = new FaultyMemory();
        let refusals = 0;
        using restorer = new PageRestorer(
          { address: map.address, byteLength: map.byteLength },
          {
            images,
            strategies,
            clean: true,
            virtualMemory: faulty.virtualMemory,
            onRefusal: () => (refusals += 1),
          },
        );
        let failed = 0;
        for (let round = 0; round < 12; round++) {
          const isFat = round % 4 === 0;
          for (let page = 0; page < NUM_PAGES; page += isFat ? 1 : 11) bytes[page * pageSize + round] = 255;
          faulty.calls.length = 0;
          if (round % 3 !== 2) faulty.fail(failing);
          if (round === 5) restorer.setLimits(9 * pageSize, 9 * pageSize);
          try {
            restorer.restore();
            expectSame(bytes, start);
          } catch (error) {
            // Dropping is all that is left where an image must not be written, or may not.
            expect(error).toMatchObject({ syscall: `injected-${failing}` });
            failed += 1;
          }
          const called = faulty.calls.includes(failing) && round % 3 !== 2;
          if (called) expect(refusals + failed).toBeGreaterThan(0);
          faulty.heal();
          restorer.restore();
          expectSame(bytes, start);
        }
        if (!failing.startsWith('decommit')) expect(failed).toBe(0);
      }
    }
  });

  it('every call at once: everything is written', () => {
    using world = scene(NUM_PAGES, [{ page: 5, pages: 20, mapped: true }]);
    const { map, bytes, start, images } = world;
    const faulty = new FaultyMemory();
    using restorer = new PageRestorer({ map }, { images, virtualMemory: faulty.virtualMemory });
    faulty.fail(...CALLS);
    for (let round = 1; round < 4; round++) {
      bytes.fill(round);
      expect(restorer.restore()).toMatchObject({ strategy: 'copy', bytesWritten: map.byteLength });
      expectSame(bytes, start);
    }
  });

  it('a kernel without scan and watch: written up to the limit, the rest dropped', () => {
    const real = platform();
    const virtualMemory = Object.create(real, {
      canScanDirtyPages: { value: false },
      canWatchWrites: { value: false },
    }) as typeof real;
    using world = scene(NUM_PAGES, [{ page: 5, pages: 20, mapped: true }]);
    const { map, bytes, start, images } = world;
    expect(PageRestorer.isSupported('scan', virtualMemory)).toBe(false);
    expect(PageRestorer.isSupported('watch', virtualMemory)).toBe(false);
    expect(() => new PageRestorer({ map }, { strategies: ['scan', 'watch'], virtualMemory })).toThrow(
      TypeError,
    );
    using restorer = new PageRestorer({ map }, { images, virtualMemory, maxWriteBackBytes: 8 * pageSize });
    expect(restorer.changedRanges()).toEqual([{ offset: 0, byteLength: map.byteLength }]);
    for (let round = 1; round < 4; round++) {
      bytes.fill(round);
      expect(restorer.restore()).toEqual({
        strategy: 'copy',
        bytesWritten: 8 * pageSize,
        bytesDropped: 40 * pageSize,
        bytesResident: 8 * pageSize,
        leftOffset: 8 * pageSize,
        leftBytes: 0,
      });
      expectSame(bytes, start);
    }
  });

  it('locked pages, which cannot be dropped, are written', () => {
    using map = Mmap.anonymous(16 * pageSize);
    map.lock(0, map.byteLength);
    const bytes = new Uint8Array(map.view());
    const refusals: string[] = [];
    using restorer = new PageRestorer(
      { map },
      { maxWriteBackBytes: 3 * pageSize, onRefusal: ({ code }) => refusals.push(code) },
    );
    bytes.fill(1);
    expect(restorer.restore()).toMatchObject({ bytesWritten: 16 * pageSize, bytesDropped: 0 });
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(refusals).toEqual(['EINVAL']);
  });
});
