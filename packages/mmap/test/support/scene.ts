import { expect } from 'vitest';

import { memoryImage, Mmap, platform, type RestorerImage } from '../../src/index.js';

const { pageSize } = platform();

/** Pages that cannot be told from zeros by their first byte alone. */
export function imageBytes(numPages: number, seed: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numPages * pageSize).map((_, i) => (i * 31 + seed) & 255);
}

export interface Scene extends Disposable {
  readonly map: Mmap;
  readonly bytes: Uint8Array;
  readonly start: Uint8Array;
  readonly images: readonly RestorerImage[];
}

/** A map whose pages are zeros and images, and what it started as. */
export function scene(
  numPages: number,
  parts: readonly { page: number; pages: number; mapped: boolean }[],
): Scene {
  const map = Mmap.anonymous(numPages * pageSize);
  const start = new Uint8Array(numPages * pageSize);
  const images = parts.map(({ page, pages, mapped }) => {
    const bytes = imageBytes(pages, page);
    const offset = page * pageSize;
    start.set(bytes, offset);
    if (mapped) {
      using image = memoryImage(bytes);
      map.mapImageAt(image, offset);
    }
    return { offset, bytes, mapped };
  });
  const bytes = new Uint8Array(map.view());
  for (const { offset, bytes: image, mapped } of images) if (!mapped) bytes.set(image, offset);
  return { map, bytes, start, images, [Symbol.dispose]: () => map.close() };
}

export function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  // Far faster than toEqual on a megabyte, and it says where.
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  expect.fail(`byte ${at} (page ${Math.floor(at / pageSize)}) is ${actual[at]}, not ${expected[at]}`);
}
