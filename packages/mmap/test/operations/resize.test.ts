import {
  appendFileSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
} from 'node:fs';

import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { temporaryFiles } from '../support/files.js';
import { isMapped, permissionsAt } from '../support/process-maps.js';
import { addSeal, F_SEAL, memoryFile } from '../support/raw.js';

const { pageSize } = platform();
const write = temporaryFiles();
const bytesOf = (map: Mmap) => new Uint8Array(map.view());
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const code = (name: string) => expect.objectContaining({ code: name }) as Error;

describe('resize of anonymous memory', () => {
  it('grows and shrinks, keeps bytes, adds zeros, detaches every view', () => {
    using map = Mmap.anonymous(3 * pageSize);
    bytesOf(map).forEach((_, i, bytes) => (bytes[i] = i % 253));
    const before = Uint8Array.from(bytesOf(map));
    const views = [map.view(), map.view(5, 10), map.view(0, 0)];
    map.resize(9 * pageSize);
    expect(views.map((view) => view.detached)).toEqual([true, true, true]);
    expect(map.byteLength).toBe(9 * pageSize);
    expect(Buffer.compare(bytesOf(map).subarray(0, before.length), before)).toBe(0);
    expect(
      bytesOf(map)
        .subarray(before.length)
        .every((byte) => byte === 0),
    ).toBe(true);
    bytesOf(map).fill(1);
    map.resize(2 * pageSize);
    expect(bytesOf(map)).toHaveLength(2 * pageSize);
    expect(() => map.view(0, 2 * pageSize + 1)).toThrow(RangeError);
    map.resize(3 * pageSize);
    expect([bytesOf(map)[pageSize], bytesOf(map)[2 * pageSize]]).toEqual([1, 0]);
  });

  it('moves when there is no room, and what is left behind is no longer ours', () => {
    using area = Mmap.reserve(64 * pageSize);
    const map = Mmap.anonymous(3 * pageSize);
    map.advise(0, 3 * pageSize, 'populate-write');
    const before = map.address;
    // Long enough not to fit into any hole next to other mappings.
    map.resize(2 ** 36);
    expect(map.address).not.toBe(before);
    expect(isMapped(before)).toBe(false);
    expect(isMapped(map.address + 2 ** 36 - 1)).toBe(true);
    expect(new Uint8Array(map.view(3 * pageSize - 1, 2))).toEqual(Uint8Array.of(0, 0));
    const { address } = map;
    map.close({ unsafe: true });
    expect([isMapped(address), isMapped(address + 2 ** 36 - 1)]).toEqual([false, false]);
    expect(area.closed).toBe(false);
  });

  it('detaches also when nothing changes, as WebAssembly.Memory.grow(0) does', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const view = map.view();
    map.resize(3 * pageSize);
    expect(view.detached).toBe(true);
    map.detachView(view);
    expect(map.view().byteLength).toBe(3 * pageSize);
  });

  it('reserved pages grow without access', () => {
    using map = Mmap.reserve(3 * pageSize);
    map.resize(8 * pageSize);
    expect(permissionsAt(map.address + 7 * pageSize)).toBe('---p');
    map.makeAccessible(0, 8 * pageSize);
    bytesOf(map).fill(1);
  });

  it('pages of several kinds shrink, but refuse to grow, and nothing has changed then', () => {
    using map = Mmap.accessibleReserved(pageSize, 4 * pageSize);
    const view = map.view(0, pageSize);
    expect(() => map.resize(6 * pageSize)).toThrow(
      expect.objectContaining({ code: 'EFAULT', syscall: 'mremap' }) as Error,
    );
    expect([view.detached, map.byteLength]).toEqual([false, 4 * pageSize]);
    map.resize(2 * pageSize);
    map.resize(pageSize);
    map.resize(5 * pageSize);
    bytesOf(map).fill(3);
  });

  it('a map that is an image grows by zeros, not by what lies behind the image', () => {
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(4));
    using map = Mmap.anonymous(3 * pageSize);
    map.mapImageAt(image, 0, 'read-write');
    map.resize(5 * pageSize);
    const bytes = bytesOf(map);
    expect([bytes[0], bytes[3 * pageSize - 1], bytes[3 * pageSize], bytes.at(-1)]).toEqual([4, 4, 0, 0]);
    bytes.fill(1);
    map.decommit(0, map.byteLength);
    expect([bytes[0], bytes.at(-1)]).toEqual([4, 0]);
  });

  it.each([0, -1, 1.5, Number.NaN, 100, 2 ** 53, Number.MAX_SAFE_INTEGER - 4094])('refuses %d', (length) => {
    using map = Mmap.anonymous(3 * pageSize);
    const view = map.view();
    expect(() => map.resize(length)).toThrow(RangeError);
    expect([view.detached, map.byteLength]).toEqual([false, 3 * pageSize]);
  });

  it('refuses options that make no sense, and more than there is', () => {
    using map = Mmap.anonymous(3 * pageSize);
    expect(() => map.resize('8192' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => map.resize(pageSize, 3 as never)).toThrow(/"options"/);
    expect(() => map.resize(pageSize, { growFile: 1 as never })).toThrow(/"options.growFile".*boolean/);
    expect(() => map.resize(pageSize, { growFile: true })).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(() => map.resize(2 ** 47 - 2 ** 32)).toThrow(code('ENOMEM'));
    expect(map.byteLength).toBe(3 * pageSize);
  });

  it('a refusal leaves pages and views; one after the move leaves pages and length', () => {
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(4));
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    using map = Mmap.anonymous(3 * pageSize, { virtualMemory });
    map.mapImageAt(image, 0);
    bytesOf(map)[5] = 99;
    const view = map.view();
    faulty.fail('resizeInPlace');
    expect(() => map.resize(4 * pageSize)).toThrow(/injected-resize/);
    expect(view.detached).toBe(false);
    for (const name of ['accessOf', 'mapZeros'] as const) {
      faulty.fail(name);
      expect(() => map.resize(4 * pageSize)).toThrow(`injected-${name}`);
      expect(faulty.calls.at(-1)).toBe('resize');
      expect(map.byteLength).toBe(3 * pageSize);
      expect([bytesOf(map)[5], bytesOf(map).at(-1)]).toEqual([99, 4]);
      expect(() => map.view(3 * pageSize, 1)).toThrow(RangeError);
    }
    faulty.heal();
    map.resize(4 * pageSize);
    expect(bytesOf(map).at(-1)).toBe(0);
  });
});

describe('resize of a file map', () => {
  it('shows more and less of a file, to the byte', () => {
    const path = write('alphabet', 'abcdefghijklmnopqrstuvwxyz');
    using map = Mmap.fromFile(path, { offset: 3, byteLength: 4, resizable: true });
    expect(text(bytesOf(map))).toBe('defg');
    map.resize(10);
    expect(text(bytesOf(map))).toBe('defghijklm');
    map.resize(23);
    expect(text(bytesOf(map))).toBe('defghijklmnopqrstuvwxyz');
    map.resize(1);
    expect(text(bytesOf(map))).toBe('d');
  });

  it('past the end of the file is refused, until the file is longer', () => {
    const path = write('short', new Uint8Array(pageSize + 10).fill(1));
    using map = Mmap.fromFile(path, { byteLength: 10, resizable: true });
    for (const length of [pageSize + 11, 2 * pageSize, 2 * pageSize + 1, 100 * pageSize])
      expect(() => map.resize(length)).toThrow(
        expect.objectContaining({
          code: 'ERR_OUT_OF_RANGE',
          message: expect.stringContaining('where the file ends') as string,
        }) as Error,
      );
    expect(map.byteLength).toBe(10);
    truncateSync(path, 5 * pageSize);
    map.resize(5 * pageSize);
    expect([bytesOf(map)[pageSize + 9], bytesOf(map)[pageSize + 10], bytesOf(map).at(-1)]).toEqual([1, 0, 0]);
  });

  it('growFile makes the file as long as the map needs, and never shorter', () => {
    const path = write('grown', 'begin');
    using map = Mmap.fromFile(path, { access: 'read-write', resizable: true });
    map.resize(3 * pageSize + 7, { growFile: true });
    expect(statSync(path).size).toBe(3 * pageSize + 7);
    bytesOf(map).fill(0x78, 3 * pageSize);
    map.resize(2, { growFile: true });
    expect(statSync(path).size).toBe(3 * pageSize + 7);
    const content = readFileSync(path);
    expect([text(content.subarray(0, 5)), text(content.subarray(-8))]).toEqual(['begin', '\0xxxxxxx']);
    // Within the last page, too.
    map.resize(3 * pageSize + 20, { growFile: true });
    expect(statSync(path).size).toBe(3 * pageSize + 20);
  });

  it('growFile needs a map that writes its file', () => {
    const path = write('unwritable', new Uint8Array(10));
    for (const options of [{ access: 'read' }, { access: 'read-write', sharing: 'private' }] as const) {
      using map = Mmap.fromFile(path, { ...options, resizable: true });
      expect(() => map.resize(20, { growFile: true })).toThrow(code('ERR_INVALID_ARG_VALUE'));
      expect(() => map.resize(20)).toThrow(code('ERR_OUT_OF_RANGE'));
    }
    expect(statSync(path).size).toBe(10);
  });

  it('a file that refuses to grow leaves the map as long as it was', () => {
    const fd = memoryFile('no-grow');
    ftruncateSync(fd, 3 * pageSize);
    using map = Mmap.fromFile(fd, { access: 'read-write', resizable: true });
    bytesOf(map).fill(7);
    expect(addSeal(fd, F_SEAL.grow)).toBe(0);
    closeSync(fd);
    expect(() => map.resize(9 * pageSize, { growFile: true })).toThrow(
      expect.objectContaining({ code: 'EPERM', syscall: 'fallocate', name: 'SystemError' }) as Error,
    );
    expect(map.byteLength).toBe(3 * pageSize);
    expect(bytesOf(map).every((byte) => byte === 7)).toBe(true);
    map.resize(pageSize);
  });

  it('without resizable a map can only shrink; with it, it has a descriptor until it is closed', () => {
    const path = write('plain', new Uint8Array(3 * pageSize));
    const numDescriptors = () => readdirSync('/proc/self/fd').length;
    const before = numDescriptors();
    using plain = Mmap.fromFile(path, { byteLength: 2 * pageSize });
    expect(() => plain.resize(3 * pageSize)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
    plain.resize(100);
    expect(() => plain.resize(101)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
    expect(numDescriptors()).toBe(before);

    const fd = openSync(path, 'r');
    for (const file of [path, fd]) {
      const map = Mmap.fromFile(file, { byteLength: 5, resizable: true });
      expect(numDescriptors()).toBe(before + 2);
      map.resize(2 * pageSize);
      map.close();
      expect(numDescriptors()).toBe(before + 1);
    }
    expect(fstatSync(fd).size).toBe(3 * pageSize);
    closeSync(fd);
    expect(() => Mmap.fromFile(path, { resizable: 1 as never })).toThrow(/"options.resizable".*boolean/);
  });

  it('a refused resizable map leaves no descriptor', () => {
    const path = write('refused', new Uint8Array(10));
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    const fd = openSync(path, 'r');
    const before = readdirSync('/proc/self/fd').length;
    faulty.fail('mapFile');
    expect(() => Mmap.fromFile(path, { resizable: true, virtualMemory })).toThrow(/injected-mapFile/);
    expect(() => Mmap.fromFile(fd, { resizable: true, virtualMemory })).toThrow(/injected-mapFile/);
    faulty.fail('duplicateFile');
    expect(() => Mmap.fromFile(fd, { resizable: true, virtualMemory })).toThrow(/injected-duplicateFile/);
    faulty.heal();
    expect(() => Mmap.fromFile(fd, { resizable: true, offset: 10 })).toThrow(RangeError);
    expect(() => Mmap.fromFile(99_999, { resizable: true })).toThrow(code('EBADF'));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    closeSync(fd);
  });

  it('a map whose pages were replaced no longer grows', () => {
    using map = Mmap.fromFile(write('replaced', new Uint8Array(4 * pageSize)), {
      byteLength: 3 * pageSize,
      resizable: true,
    });
    map.remapAsZerosAt(2 * pageSize, pageSize);
    map.resize(2 * pageSize);
    expect(() => map.resize(3 * pageSize)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
  });

  it('growFile leaves what another process appended after the look at the length', () => {
    const path = write('appended', new Uint8Array(pageSize).fill(1));
    const real = platform();
    const virtualMemory = new Proxy(real, {
      get: (target, name: keyof typeof real) =>
        name === 'extendFile'
          ? (fd: number, byteLength: number) => {
              appendFileSync(path, new Uint8Array(10 * pageSize).fill(2));
              target.extendFile(fd, byteLength);
            }
          : (target[name] as unknown),
    });
    using map = Mmap.fromFile(path, { access: 'read-write', resizable: true, virtualMemory });
    map.resize(3 * pageSize, { growFile: true });
    expect(statSync(path).size).toBe(11 * pageSize);
    expect([bytesOf(map)[0], bytesOf(map)[pageSize]]).toEqual([1, 2]);
  });

  it('growFile takes no room on the disk but for the end', () => {
    const path = write('sparse', new Uint8Array(1));
    using map = Mmap.fromFile(path, { access: 'read-write', resizable: true });
    map.resize(2 ** 30, { growFile: true });
    expect(statSync(path).size).toBe(2 ** 30);
    expect(statSync(path).blocks * 512).toBeLessThan(2 ** 20);
  });

  it('a refused image or zeros leave the map resizable', () => {
    const faulty = new FaultyMemory();
    const path = write('refused', new Uint8Array(6 * pageSize));
    using map = Mmap.fromFile(path, {
      byteLength: 3 * pageSize,
      resizable: true,
      virtualMemory: faulty.virtualMemory,
    });
    faulty.fail('mapZeros', 'mapFile');
    using image = memoryImage(new Uint8Array(pageSize));
    expect(() => map.remapAsZerosAt(0, pageSize)).toThrow(/injected/);
    expect(() => map.mapImageAt(image, 0)).toThrow(/injected/);
    faulty.heal();
    map.resize(6 * pageSize);
    map.mapImageAt(image, 0);
    expect(() => map.resize(9 * pageSize)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
  });
});
