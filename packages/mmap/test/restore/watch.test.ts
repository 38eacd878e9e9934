/** Having the kernel note first writes. */
import { describe, expect, it } from 'vitest';

import { Mmap, MmapBusyError, PageRestorer, PageScanner, platform } from '../../src/index.js';
import { expectSame, scene } from '../support/scene.js';

const { pageSize } = platform();
const NUM_PAGES = 48;

describe.runIf(PageRestorer.isSupported('watch'))(
  'watching writes (skipped where userfaultfd is refused)',
  () => {
    it('finds what was written since, and nothing that was put back', () => {
      using map = Mmap.anonymous(64 * pageSize);
      const bytes = new Uint8Array(map.view());
      using restorer = new PageRestorer({ map }, { strategies: ['watch'], clean: true });
      expect(restorer.watching).toBe(true);
      for (let round = 0; round < 10; round++) {
        const pages = [round, 2 * round + 20, 63];
        for (const page of pages) bytes[page * pageSize] = 1;
        expect(restorer.changedBytes()).toBe(new Set(pages).size * pageSize);
        expect(restorer.restore()).toMatchObject({
          strategy: 'watch',
          bytesWritten: new Set(pages).size * pageSize,
        });
        expect(restorer.changedBytes()).toBe(0);
      }
    });

    it('keeps no more than it may: what was not written lately goes, and the watch goes on', () => {
      for (const mapped of [true, false]) {
        const imagePages = 20;
        using world = scene(NUM_PAGES, [{ page: 5, pages: imagePages, mapped }]);
        const { map, bytes, start, images } = world;
        const mostPages = 8 + (mapped ? 0 : imagePages);
        const maxResidentBytes = mostPages * pageSize;
        using restorer = new PageRestorer(
          { map },
          { images, strategies: ['watch'], clean: true, maxResidentBytes },
        );
        let dropped = 0;
        for (let round = 0; round < 60; round++) {
          for (const page of [round, round + 17, 3]) bytes[(page % NUM_PAGES) * pageSize] = 255;
          const { strategy, bytesResident, bytesWritten, bytesDropped } = restorer.restore();
          expect(strategy).toBe('watch');
          expect(bytesWritten).toBeLessThanOrEqual(3 * pageSize);
          expect(bytesResident).toBeLessThanOrEqual(maxResidentBytes);
          dropped += bytesDropped;
          expectSame(bytes, start);
          expect(restorer.watching).toBe(true);
          expect(restorer.changedBytes()).toBe(0);
        }
        expect(dropped).toBeGreaterThan(0);
        restorer.unwatch();
        expect(new PageScanner(map).dirtyBytes()).toBeLessThanOrEqual(maxResidentBytes);
      }
    });

    it('counts what was kept before where one user writes more than it may, and drops that as well', () => {
      for (const { imagePages, mapped } of [
        { imagePages: 0, mapped: true },
        { imagePages: 4, mapped: true },
        { imagePages: 4, mapped: false },
      ]) {
        const parts = imagePages === 0 ? [] : [{ page: 2, pages: imagePages, mapped }];
        for (const mostWritten of [8, 4]) {
          using world = scene(NUM_PAGES, parts);
          const { map, bytes, start, images } = world;
          using restorer = new PageRestorer(
            { map },
            {
              images,
              strategies: ['watch', 'drop'],
              maxResidentBytes: 8 * pageSize,
              maxWriteBackBytes: mostWritten * pageSize,
            },
          );
          restorer.restore();
          expect(restorer.watching).toBe(true);
          for (const pages of [
            [10, 11, 12, 13],
            [20, 22, 24, 26, 28, 30, 32, 34, 36, 38],
          ]) {
            for (const page of pages) bytes[page * pageSize] = 255;
            const { strategy, bytesResident } = restorer.restore();
            expect(strategy).toBe('watch');
            expect(bytesResident).toBeLessThanOrEqual(8 * pageSize + (mapped ? 0 : imagePages * pageSize));
            // Of a watched range, nobody else can say.
            if (!restorer.watching) {
              expect(new PageScanner(map).dirtyBytes()).toBeLessThanOrEqual(bytesResident);
            }
            expectSame(bytes, start);
          }
          expect(restorer.watching).toBe(false);
        }
      }
    });

    it('keeps its map where it is', () => {
      using map = Mmap.anonymous(4 * pageSize);
      using restorer = new PageRestorer({ map }, { strategies: ['watch'], clean: true });
      expect(() => map.resize(8 * pageSize)).toThrow(MmapBusyError);
      restorer.unwatch();
      map.resize(8 * pageSize);
      restorer.setRange({ map });
      new Uint8Array(map.view()).fill(1);
      restorer.restore();
      expect(restorer.watching).toBe(true);
      expect(new Uint8Array(map.view()).every((byte) => byte === 0)).toBe(true);
    });
  },
);
