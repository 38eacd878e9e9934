import { existsSync, fstatSync, ftruncateSync, readdirSync, readSync, writeSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, type ImageSource, type MemoryImage } from '../src/index.js';
import { addSeal, F_SEAL, seals } from './support/raw.js';

const { pageSize } = platform();
const EPERM = 1;

type Write = Parameters<ImageSource['fill']>[0];

describe('memoryImage', () => {
  it.each([1, 100, pageSize - 1, pageSize, pageSize + 1, 3 * pageSize])(
    'holds %i bytes and zeros to the page',
    (count) => {
      const bytes = Uint8Array.from({ length: count }, (_, i) => (i % 251) + 1);
      using image = memoryImage(bytes);
      expect(image.byteLength).toBe(Math.ceil(count / pageSize) * pageSize);
      const read = new Uint8Array(image.byteLength + 1);
      expect(readSync(image.fd, read, 0, read.length, 0)).toBe(image.byteLength);
      expect(Buffer.compare(read.subarray(0, count), bytes)).toBe(0);
      expect(read.subarray(count).every((byte) => byte === 0)).toBe(true);
    },
  );

  it('takes the bytes of another realm, and tells a proxy of some that it has none', () => {
    using image = memoryImage(runInNewContext('Uint8Array.of(1, 2, 3)') as Uint8Array);
    const read = new Uint8Array(3);
    readSync(image.fd, read, 0, 3, 0);
    expect([...read]).toEqual([1, 2, 3]);
    expect(() => memoryImage(new Proxy(new Uint8Array(3), {}))).toThrow('A proxy');
  });

  it('copies: later changes of the source do not show, and only its own part of a buffer does', () => {
    const buffer = new Uint8Array(100).fill(1);
    const part = buffer.subarray(10, 20).fill(2);
    using image = memoryImage(part);
    buffer.fill(3);
    const read = new Uint8Array(12);
    readSync(image.fd, read, 0, 12, 0);
    expect([...read]).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
  });

  it('is not believed to be longer, or another file, than it is', () => {
    using image = memoryImage(new Uint8Array(pageSize).fill(5));
    using map = Mmap.anonymous(4 * pageSize);
    Object.defineProperties(image, { byteLength: { value: 4 * pageSize }, fd: { value: 0 } });
    map.mapImageAt(image, 0);
    expect([map.read(0, 1)[0], map.read(pageSize, 1)[0]]).toEqual([5, 0]);
    expect(() => map.mapImageAt(image, 0, 'read', { byteLength: 2 * pageSize })).toThrow(RangeError);
    const fake = Object.create(image) as MemoryImage;
    expect(() => map.mapImageAt(fake, 0)).toThrow(/"image".*MemoryImage/);
  });

  it('may be empty', () => {
    using image = memoryImage(new Uint8Array(0));
    expect(image.byteLength).toBe(0);
  });

  it('is sealed: writing, growing, shrinking and sealing further are refused by the kernel', () => {
    using image = memoryImage(new Uint8Array(2 * pageSize).fill(1));
    const all = F_SEAL.seal | F_SEAL.shrink | F_SEAL.grow | F_SEAL.write;
    expect(seals(image.fd) & all).toBe(all);
    const refused = expect.objectContaining({ code: 'EPERM' }) as Error;
    expect(() => writeSync(image.fd, 'x', 0)).toThrow(refused);
    expect(() => ftruncateSync(image.fd, pageSize)).toThrow(refused);
    expect(() => ftruncateSync(image.fd, 3 * pageSize)).toThrow(refused);
    expect(addSeal(image.fd, F_SEAL.futureWrite)).toBe(EPERM);
    expect(() => Mmap.fromFile(image.fd, { sharing: 'shared', access: 'read-write' })).toThrow(refused);
    using map = Mmap.fromFile(image.fd);
    expect(new Uint8Array(map.view()).every((byte) => byte === 1)).toBe(true);
  });

  it('closes its descriptor once', () => {
    const image = memoryImage(new Uint8Array(1));
    const { fd } = image;
    expect(image.closed).toBe(false);
    image.close();
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(false);
    using other = memoryImage(new Uint8Array(1));
    image.close();
    image[Symbol.dispose]();
    expect(existsSync(`/proc/self/fd/${other.fd}`)).toBe(true);
    expect(image.closed).toBe(true);
    expect(image.byteLength).toBe(pageSize);
    expect(() => image.fd).toThrow(
      expect.objectContaining({ name: 'MemoryImageClosedError', code: 'ERR_MEMORY_IMAGE_CLOSED' }) as Error,
    );
  });

  it('refuses what is not bytes, and bad names', () => {
    for (const bytes of [undefined, null, 'abc', [1, 2], new ArrayBuffer(4), new Uint16Array(2)]) {
      expect(() => memoryImage(bytes as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
      );
    }
    const bytes = new Uint8Array(1);
    expect(() => memoryImage(bytes, { name: 'a\0b' })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
    );
    expect(() => memoryImage(bytes, { name: 'x'.repeat(250) })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
    );
    expect(() => memoryImage(bytes, { name: 5 as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
    );
    memoryImage(bytes, { name: 'x'.repeat(249) }).close();
  });

  it('is filled piece by piece, later pieces over earlier ones, and takes memory for what is not zero', () => {
    const byteLength = 1000 * pageSize + 5;
    const pieces: [at: number, bytes: Uint8Array][] = [
      [3 * pageSize - 1, Uint8Array.of(1, 2)],
      [500 * pageSize, new Uint8Array(100 * pageSize)],
      [550 * pageSize + 7, Uint8Array.of(3)],
      [3 * pageSize, Uint8Array.of(9)],
      // Zeros over what was written before, and over a hole.
      [550 * pageSize, new Uint8Array(pageSize + 3)],
      [551 * pageSize - 1, Uint8Array.of(8)],
      [byteLength - 1, Uint8Array.of(4)],
    ];
    using image = memoryImage({
      byteLength,
      fill: (write: Write) => {
        for (const [at, bytes] of pieces) write(bytes, at);
      },
    });
    expect(image.byteLength).toBe(1001 * pageSize);
    // In units of 512 bytes: pages 2, 3, 550, 551, whose three bytes came after page 599, and the last.
    expect(fstatSync(image.fd).blocks * 512).toBe(5 * pageSize);
    const expected = Buffer.alloc(image.byteLength);
    for (const [at, bytes] of pieces) expected.set(bytes, at);
    using map = Mmap.fromFile(image.fd);
    expect(Buffer.from(map.view()).equals(expected)).toBe(true);
  });

  it('has holes for pages of zeros, wherever they are', () => {
    const bytes = new Uint8Array(9 * pageSize + 3);
    for (const page of [0, 1, 4, 8]) bytes[page * pageSize + (page % 3) * (pageSize / 2 - 1)] = 7;
    using image = memoryImage(bytes);
    expect(fstatSync(image.fd).blocks * 512).toBe(4 * pageSize);
    const read = new Uint8Array(image.byteLength);
    expect(readSync(image.fd, read, 0, read.length, 0)).toBe(10 * pageSize);
    expect(Buffer.compare(read.subarray(0, bytes.length), bytes)).toBe(0);
  });

  it('takes no bytes outside of it, nor later, and leaves no descriptor if filling fails', () => {
    const before = readdirSync('/proc/self/fd').length;
    const bad = [-1, 9, 0.5, Number.NaN, 10n, '0'];
    for (const position of bad) {
      const fill = (write: Write) => write(new Uint8Array(2), position as number);
      expect(() => memoryImage({ byteLength: 10, fill })).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/) as string,
        }),
      );
    }
    for (const bytes of [null, [1], new ArrayBuffer(1)])
      expect(() => memoryImage({ byteLength: 10, fill: (write: Write) => write(bytes as never, 0) })).toThrow(
        TypeError,
      );
    const mine = new Error('mine');
    const fail = () => {
      throw mine;
    };
    expect(() => memoryImage({ byteLength: 10, fill: fail })).toThrow(mine);
    expect(() => memoryImage({ byteLength: -1, fill: fail })).toThrow(RangeError);
    expect(() => memoryImage({ byteLength: 1, fill: 5 } as never)).toThrow(TypeError);
    let late: Write | undefined;
    memoryImage({ byteLength: 10, fill: (write: Write) => (late = write) }).close();
    expect(() => late?.(new Uint8Array(1), 0)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
    );
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });

  it('is made by memoryImage only', () => {
    using image = memoryImage(new Uint8Array(1));
    const constructor = image.constructor as new (...args: unknown[]) => MemoryImage;
    expect(() => new constructor(Symbol('memoryImage'), platform(), 0, 0)).toThrow(/memoryImage\(\)/);
  });
});
