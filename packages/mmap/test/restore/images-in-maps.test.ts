/** Images that lie in pages of a map instead of in an array. */
import { expect, it } from 'vitest';

import { memoryImage, Mmap, PageRestorer, platform, type RestoreStrategy } from '../../src/index.js';

const { pageSize } = platform();
const STRATEGIES = (['scan', 'watch', 'copy', 'drop'] as const).filter((strategy) =>
  PageRestorer.isSupported(strategy),
);
const CHOICES: readonly (readonly RestoreStrategy[])[] = [...STRATEGIES.map((each) => [each]), STRATEGIES];

it('images in pages of a map, which nobody looks at: the same, until the map is closed or cut', () => {
  const bytes = new Uint8Array(5 * pageSize).map((_, i) => (i * 31 + 1) & 255);
  const end = (source: Mmap, how: string) => {
    if (how === 'closed') source.close();
    else source.resize(3 * pageSize);
  };
  for (const strategies of CHOICES) {
    for (const mapped of [true, false]) {
      for (const how of ['closed', 'cut']) {
        using source = Mmap.anonymous(6 * pageSize);
        source.write(pageSize, bytes);
        using map = Mmap.anonymous(12 * pageSize);
        const start = new Uint8Array(12 * pageSize);
        start.set(bytes.subarray(0, 4 * pageSize), 3 * pageSize);
        if (mapped) {
          using image = memoryImage(start.subarray(3 * pageSize, 7 * pageSize));
          map.mapImageAt(image, 3 * pageSize);
        }
        const view = new Uint8Array(map.view());
        if (!mapped) view.set(start);
        const pages = { map: source, offset: pageSize, byteLength: 4 * pageSize };
        using restorer = new PageRestorer(
          { map },
          { strategies, images: [{ offset: 3 * pageSize, bytes: pages, mapped }] },
        );
        for (let round = 0; round < 4; round++) {
          view.fill(200 + round, round * pageSize, (round + 5) * pageSize);
          restorer.restore();
          expect(Buffer.compare(view, start)).toBe(0);
        }
        end(source, how);
        view.fill(1, 3 * pageSize);
        if (!mapped)
          expect(() => restorer.restore()).toThrow(
            expect.objectContaining({ code: 'ERR_RESTORER_IMAGE_DETACHED' }),
          );
        else {
          restorer.restore();
          expect(Buffer.compare(view, start)).toBe(0);
        }
      }
    }
  }
});
