/** Images whose file several threads hold: here, and in child processes with workers that are killed. */
import { fstatSync } from 'node:fs';
import { codeOf, laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, openImage, shareImage, type JointImageHandle } from '../src/index.js';
import { fixtureJson } from './support/child.js';

const PAGE = 65_536;

/** Of the file behind a descriptor; nothing where there is none. */
function inodeOf(fd: number): number | undefined {
  try {
    return fstatSync(fd).ino;
  } catch {
    return undefined;
  }
}

describe('an image that threads hold jointly', () => {
  it('has one descriptor, which goes with the last that closes it', () => {
    const image = memoryImage(new Uint8Array(PAGE).fill(7));
    const inode = inodeOf(image.fd);
    const handle = structuredClone(shareImage(image));
    expect(shareImage(image)).toEqual(handle);
    const others = [openImage(handle), openImage(handle)];
    expect(others.map(({ fd, byteLength }) => [fd, byteLength])).toEqual(others.map(() => [image.fd, PAGE]));
    const { fd } = image;
    image.close();
    expect(codeOf(() => image.fd)).toBe('ERR_MEMORY_IMAGE_CLOSED');
    others[0]!.close();
    expect(inodeOf(fd)).toBe(inode);
    using map = Mmap.fromFile(others[1]!.fd, { access: 'read', sharing: 'private' });
    expect(map.read(0, 2)).toEqual(Uint8Array.of(7, 7));
    others[1]!.close();
    others[1]!.close();
    expect(inodeOf(fd)).not.toBe(inode);
    expect(codeOf(() => openImage(handle))).toBe('ERR_MMAP_SHARED_GONE');
  });

  it('refuses every handle that is not quite right', () => {
    using image = memoryImage(new Uint8Array(PAGE));
    const handle = shareImage(image);
    const gone: Partial<JointImageHandle>[] = [
      { pid: process.pid + 1 },
      { entry: handle.entry + 1 },
      { token: handle.token + 1 },
      { byteLength: 2 * PAGE },
    ];
    for (const change of gone) {
      expect(codeOf(() => openImage({ ...handle, ...change }))).toBe('ERR_MMAP_SHARED_GONE');
    }
    for (const name of ['pid', 'entry', 'token', 'byteLength'] as const) {
      expect(codeOf(() => openImage({ ...handle, [name]: '1' as never }))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(codeOf(() => openImage(undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => shareImage({} as never))).toBe('ERR_INVALID_ARG_TYPE');
  });

  it('cannot be shared once it is closed', () => {
    const image = memoryImage(new Uint8Array(PAGE));
    image.close();
    expect(codeOf(() => shareImage(image))).toBe('ERR_MEMORY_IMAGE_CLOSED');
  });

  it('is closed once, wherever the threads that hold it are killed', () => {
    expect(fixtureJson('joint-image.mjs', [String(laps(40, 4))])).toEqual({
      byte: 7,
      files: 0,
      code: 'ERR_MMAP_SHARED_GONE',
    });
  });
});
