/** Images that a thread knows by numbers which other threads have written. */
import { expect, it } from 'vitest';
import { ImageFile } from '../../src/module/image.js';
import { SharedImageTable } from '../../src/shared/image-table.js';
import { HOST_PAGE } from '../support/memories.js';

const ID = 2 ** 32 + 7;
const holder = { letGo: () => undefined };

it('another image of the same number is not taken for it', () => {
  const file = new ImageFile(new Uint8Array(3 * HOST_PAGE), undefined);
  const key = { moduleId: 1, memoryIndex: 0 };
  const image = file.addImage(key, 0, 0, HOST_PAGE, ID);
  const table = new SharedImageTable(holder, () => 0);
  table.retain(image);
  for (const [offset, byteLength] of [
    [HOST_PAGE, HOST_PAGE],
    [0, 2 * HOST_PAGE],
  ] as const) {
    const other = file.addImage(key, 0, offset, byteLength, ID);
    expect(() => table.retain(other)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
    expect(table.get(ID)).toBe(image);
  }
  const same = file.addImage(key, HOST_PAGE, 0, HOST_PAGE, ID);
  table.retain(same);
  expect(table.get(ID)).toBe(same);
  file.close();
});
