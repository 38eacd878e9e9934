import { describe, expect, it } from 'vitest';
import { ImageFile, type PoolImage } from '../../src/module/image.js';
import { ImageTable } from '../../src/slots/image-table.js';
import { HOST_PAGE } from '../support/memories.js';

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

/** A file of three images, of one, two and three pages. */
function threeImages(): { file: ImageFile; images: PoolImage[] } {
  const file = new ImageFile(new Uint8Array(6 * HOST_PAGE), undefined);
  const images = [1, 2, 3].map((pages, memoryIndex) => {
    const start = (pages * (pages - 1)) / 2;
    return file.addImage({ moduleId: 1, memoryIndex }, start * HOST_PAGE, 0, pages * HOST_PAGE);
  });
  return { file, images };
}

function holder(): { told: PoolImage[]; letGo: (image: PoolImage) => void } {
  const told: PoolImage[] = [];
  return { told, letGo: (image) => void told.push(image) };
}

describe('ImageTable', () => {
  it('counts each image once, as long as a slot has it', () => {
    const { images } = threeImages();
    const table = new ImageTable(holder());
    for (const image of [...images, images[1]!]) table.retain(image);
    expect(table.byteLength).toBe(6 * HOST_PAGE);
    table.release(images[1]!.id);
    expect(table.get(images[1]!.id)).toBe(images[1]);
    table.release(images[1]!.id);
    expect(table.byteLength).toBe(4 * HOST_PAGE);
    expect(() => table.get(images[1]!.id)).toThrow(CORRUPTED);
    expect(() => table.release(images[1]!.id)).toThrow(CORRUPTED);
    expect(table.byteLength).toBe(4 * HOST_PAGE);
  });

  it('takes no other image for one of the same number', () => {
    const { file, images } = threeImages();
    const table = new ImageTable(holder());
    table.retain(images[1]!);
    const { key, id } = images[1]!;
    for (const [offset, pages] of [
      [HOST_PAGE, 2],
      [0, 3],
    ] as const) {
      const other = file.addImage(key, 0, offset, pages * HOST_PAGE, id);
      expect(() => table.retain(other)).toThrow(CORRUPTED);
    }
    table.release(id);
    expect(table.byteLength).toBe(0);
  });

  it('has nothing for slots without an image', () => {
    const table = new ImageTable(holder());
    table.release(0);
    expect(table.get(0)).toBeUndefined();
  });

  it('is told of the images that it has when their file is closed, and of no other', () => {
    const { file, images } = threeImages();
    const [has, had, cleared] = [holder(), holder(), holder()];
    const tables = [has, had, cleared].map((each) => new ImageTable(each));
    for (const table of tables) table.retain(images[1]!);
    tables[0]!.retain(images[2]!);
    tables[1]!.release(images[1]!.id);
    tables[2]!.clear();
    file.close();
    expect(has.told).toEqual([images[1], images[2]]);
    expect([had.told, cleared.told]).toEqual([[], []]);
    expect(images.every(({ closed }) => closed)).toBe(true);
  });
});

describe('ImageFile', () => {
  it('takes no parts that overlap, or none at all', () => {
    const { file } = threeImages();
    const key = { moduleId: 1, memoryIndex: 9 };
    const part = { file, fileOffset: 0, offsetBytes: HOST_PAGE, byteLength: 2 * HOST_PAGE };
    expect(() => file.addParts(key, [])).toThrow(CORRUPTED);
    expect(() => file.addParts(key, [part, { ...part, offsetBytes: 2 * HOST_PAGE }])).toThrow(CORRUPTED);
    expect(() => file.addParts(key, [part, { ...part, offsetBytes: 0 }])).toThrow(CORRUPTED);
    expect(file.addParts(key, [part, { ...part, offsetBytes: 3 * HOST_PAGE }]).isSolid).toBe(true);
  });

  it('has no image behind its end, which would be mapped and fault', () => {
    const { file } = threeImages();
    const key = { moduleId: 1, memoryIndex: 9 };
    for (const [offset, byteLength] of [
      [-HOST_PAGE, HOST_PAGE],
      [0, 0],
      [0, 7 * HOST_PAGE],
      [6 * HOST_PAGE, HOST_PAGE],
      [Number.NaN, HOST_PAGE],
    ] as const) {
      expect(() => file.addImage(key, offset, 0, byteLength)).toThrow(CORRUPTED);
    }
  });
});
