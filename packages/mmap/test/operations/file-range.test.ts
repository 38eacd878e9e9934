import {
  readdirSync,
  statSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';

const { pageSize } = platform();
const folder = mkdtempSync(join(tmpdir(), 'guardstripe-mmap-'));
const path = join(folder, 'file');
const content = Uint8Array.from({ length: 3 * pageSize + 1234 }, (_, i) => (i * 7) % 253);

beforeAll(() => writeFileSync(path, content));
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (map: Mmap) => new Uint8Array(map.view());

describe('Mmap.fromFile', () => {
  it('maps a whole file by path, URL or descriptor, which may be closed at once', () => {
    const fd = openSync(path, 'r');
    const maps = [Mmap.fromFile(path), Mmap.fromFile(pathToFileURL(path)), Mmap.fromFile(fd)];
    closeSync(fd);
    for (const map of maps) {
      expect(map.byteLength).toBe(content.length);
      expect(Buffer.compare(bytesOf(map), content)).toBe(0);
      map.close();
    }
  });

  it('any offset and length show exactly those bytes', () => {
    fc.assert(
      fc.property(fc.nat(content.length - 1), fc.nat(content.length - 1), (a, b) => {
        const [offset, end] = a < b ? [a, b] : [b, a];
        using map = Mmap.fromFile(path, { offset, byteLength: end - offset + 1 });
        expect(map.byteLength).toBe(end - offset + 1);
        expect(Buffer.compare(bytesOf(map), content.subarray(offset, end + 1))).toBe(0);
      }),
    );
  });

  it('offsets beyond 4 GiB are exact', () => {
    const sparse = join(folder, 'sparse');
    writeFileSync(sparse, 'begin');
    truncateSync(sparse, 2 ** 32 + 3 * pageSize);
    const fd = openSync(sparse, 'r+');
    writeSync(fd, 'four', 2 ** 32);
    writeSync(fd, 'page', 2 ** 32 + pageSize);
    writeSync(fd, 'odd', 2 ** 32 + 2 * pageSize + 5);
    closeSync(fd);
    const text = (offset: number, byteLength: number) => {
      using map = Mmap.fromFile(sparse, { offset, byteLength });
      return Buffer.from(map.view()).toString('latin1');
    };
    expect(text(0, 5)).toBe('begin');
    expect(text(2 ** 32, 4)).toBe('four');
    expect(text(2 ** 32 + pageSize, 4)).toBe('page');
    expect(text(2 ** 32 + 2 * pageSize + 5, 3)).toBe('odd');
    using whole = Mmap.fromFile(sparse);
    expect(whole.byteLength).toBe(2 ** 32 + 3 * pageSize);
    expect(Buffer.from(whole.view(2 ** 32 + pageSize, 4)).toString('latin1')).toBe('page');
    rmSync(sparse);
  });

  it('a shared map writes to the file, a private one does not and reads it again after decommit', () => {
    const file = join(folder, 'written');
    writeFileSync(file, content);
    {
      using shared = Mmap.fromFile(file, {
        sharing: 'shared',
        access: 'read-write',
        offset: 10,
        byteLength: 5,
      });
      bytesOf(shared).fill(0xff);
    }
    const expected = Uint8Array.from(content).fill(0xff, 10, 15);
    expect(Buffer.compare(readFileSync(file), expected)).toBe(0);

    const readOnly = openSync(file, 'r');
    using copy = Mmap.fromFile(readOnly, { sharing: 'private', access: 'read-write' });
    closeSync(readOnly);
    bytesOf(copy).fill(1);
    expect(Buffer.compare(readFileSync(file), expected)).toBe(0);
    copy.decommit(0, copy.byteLength);
    expect(Buffer.compare(bytesOf(copy), expected)).toBe(0);
  });

  it('two shared maps see each other', () => {
    const file = join(folder, 'both');
    writeFileSync(file, content);
    using one = Mmap.fromFile(file, { access: 'read-write' });
    using two = Mmap.fromFile(file, { offset: 4 });
    bytesOf(one)[5] = 99;
    expect(bytesOf(two)[1]).toBe(99);
  });

  it('page operations reach a ragged first and last page by the ends of the map', () => {
    using map = Mmap.fromFile(path, { sharing: 'private', access: 'read-write', offset: 100 });
    const original = content.subarray(100);
    const bytes = bytesOf(map).fill(1);
    const firstPageBytes = pageSize - 100;
    map.decommit(0, firstPageBytes);
    expect(Buffer.compare(bytes.subarray(0, firstPageBytes), original.subarray(0, firstPageBytes))).toBe(0);
    expect(bytes[firstPageBytes]).toBe(1);
    map.decommit(firstPageBytes + pageSize, map.byteLength - firstPageBytes - pageSize);
    expect(
      Buffer.compare(bytes.subarray(firstPageBytes + pageSize), original.subarray(firstPageBytes + pageSize)),
    ).toBe(0);
    expect(bytes[firstPageBytes]).toBe(1);
    expect(() => map.decommit(pageSize, pageSize)).toThrow(/page boundary/);
    expect(() => map.decommit(0, pageSize)).toThrow(/page boundary/);
  });

  it('refuses the missing, the irregular and the forbidden', () => {
    expect(() => Mmap.fromFile(join(folder, 'none'))).toThrow(
      expect.objectContaining({ name: 'SystemError', code: 'ENOENT', errno: -2, syscall: 'open' }) as Error,
    );
    expect(() => Mmap.fromFile(folder)).toThrow(/regular file/);
    expect(() => Mmap.fromFile('/dev/zero')).toThrow(/regular file/);
    const readOnly = openSync(path, 'r');
    expect(() => Mmap.fromFile(readOnly, { access: 'read-write' })).toThrow(
      expect.objectContaining({ code: 'EACCES', syscall: 'mmap' }) as Error,
    );
    closeSync(readOnly);
  });

  it('refuses a pipe at once, instead of waiting for its other end', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const access of ['read', 'read-write'] as const) {
      expect(() => Mmap.fromFile(pipe, { access })).toThrow(/regular file/);
    }
  });

  it('an image over a map that starts or ends within a page begins where it was asked for, or is refused', () => {
    using image = memoryImage(new Uint8Array(2 * pageSize).fill(77));
    using map = Mmap.fromFile(path, { offset: 100 });
    expect(() => map.mapImageAt(image, 0)).toThrow(/"offset".*page boundary/);
    const first = pageSize - 100;
    map.mapImageAt(image, first);
    const bytes = bytesOf(map);
    expect([bytes[first - 1], bytes[first], bytes[first + 2 * pageSize - 1]]).toEqual([
      content[pageSize - 1],
      77,
      77,
    ]);
    expect([...bytes.subarray(first + 2 * pageSize)]).toEqual([...content.subarray(3 * pageSize)]);
  });

  it('refuses ranges past the end', () => {
    const { length } = content;
    for (const options of [
      { offset: length },
      { offset: length + pageSize },
      { byteLength: length + 1 },
      { offset: 1, byteLength: length },
      { byteLength: 0 },
      { offset: Number.MAX_SAFE_INTEGER, byteLength: Number.MAX_SAFE_INTEGER },
      { offset: -1 },
      { byteLength: -5 },
      { byteLength: Number.NaN },
      { offset: 0.5 },
    ]) {
      expect(() => Mmap.fromFile(path, options)).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }) as Error,
      );
    }
  });

  it('refuses arguments of the wrong kind', () => {
    const kind = (code: string) => expect.objectContaining({ name: 'TypeError', code }) as Error;
    for (const file of [undefined, null, {}, new Uint16Array(1), 3n])
      expect(() => Mmap.fromFile(file as never)).toThrow(kind('ERR_INVALID_ARG_TYPE'));
    expect(() => Mmap.fromFile(-1)).toThrow(RangeError);
    expect(() => Mmap.fromFile(path, { access: 'none' as never })).toThrow(kind('ERR_INVALID_ARG_VALUE'));
    expect(() => Mmap.fromFile(path, { sharing: 'both' as never })).toThrow(kind('ERR_INVALID_ARG_VALUE'));
    expect(() => Mmap.fromFile(path, { offset: '0' as never })).toThrow(kind('ERR_INVALID_ARG_TYPE'));
    expect(() => Mmap.fromFile(path, 'r' as never)).toThrow(kind('ERR_INVALID_ARG_TYPE'));
  });
});

describe('files that are not there, empty or too short', () => {
  it('an empty file is an empty map, which grows if it may', () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    {
      using map = Mmap.fromFile(empty);
      expect([map.byteLength, map.address, map.view().byteLength, map.resident()]).toEqual([0, 0, 0, 0]);
      map.sync();
      map.advise('willneed');
      expect(map.read(0, 0)).toHaveLength(0);
      expect(() => map.view(0, 1)).toThrow(RangeError);
      expect(() => map.resize(10)).toThrow(/resizable/);
    }
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    using map = Mmap.fromFile(empty, { access: 'read-write', resizable: true, virtualMemory });
    faulty.fail('extendFile');
    expect(() => map.resize(10, { growFile: true })).toThrow(/injected-extendFile/);
    expect([map.byteLength, map.address]).toEqual([0, 0]);
    faulty.heal();
    map.resize(10, { growFile: true });
    map.write(3, Buffer.from('abc'));
    expect(readFileSync(empty, 'latin1')).toBe('\0\0\0abc\0\0\0\0');
  });

  it('create and growFile make what is missing, and leave what is there', () => {
    const made = join(folder, 'made');
    const options = { access: 'read-write', create: true, growFile: true } as const;
    {
      using map = Mmap.fromFile(made, { ...options, offset: 5, byteLength: pageSize });
      map.write(0, Buffer.from('x'));
    }
    expect(statSync(made).size).toBe(pageSize + 5);
    {
      using map = Mmap.fromFile(made, { ...options, byteLength: 6 });
      expect(map.read(5, 1)).toEqual(Uint8Array.of(120));
    }
    expect(statSync(made).size).toBe(pageSize + 5);
    {
      using map = Mmap.fromFile(join(folder, 'made-empty'), { access: 'read-write', create: true });
      expect(map.byteLength).toBe(0);
    }
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error;
    expect(() => Mmap.fromFile(made, { create: true })).toThrow(wrong);
    expect(() => Mmap.fromFile(made, { growFile: true, access: 'read-write', sharing: 'private' })).toThrow(
      wrong,
    );
    const fd = openSync(made, 'r+');
    expect(() => Mmap.fromFile(fd, { access: 'read-write', create: true })).toThrow(wrong);
    closeSync(fd);
    expect(() => Mmap.fromFile(made, { ...options, byteLength: 2 ** 53 - 1 })).toThrow(RangeError);
  });

  it('a refused growth at open leaves no map and no descriptor', () => {
    const faulty = new FaultyMemory();
    faulty.fail('extendFile');
    const before = readdirSync('/proc/self/fd').length;
    expect(() =>
      Mmap.fromFile(path, {
        access: 'read-write',
        growFile: true,
        byteLength: 10 * pageSize,
        resizable: true,
        virtualMemory: faulty.virtualMemory,
      }),
    ).toThrow(/injected-extendFile/);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    expect(faulty.calls).not.toContain('mapFile');
  });
});

describe('ways to name a file, and what its map allows at once', () => {
  it('takes file handles and paths of bytes', async () => {
    const handle = await open(path);
    using byHandle = Mmap.fromFile(handle, { byteLength: 10 });
    await handle.close();
    const odd = Buffer.concat([Buffer.from(join(folder, 'odd-')), Buffer.of(0xff, 0xfe)]);
    writeFileSync(odd, 'bytes');
    using byBytes = Mmap.fromFile(new Uint8Array(odd));
    const elsewhere = runInNewContext('(bytes) => Uint8Array.from(bytes)') as (bytes: Buffer) => Uint8Array;
    using byOthers = Mmap.fromFile(elsewhere(odd));
    expect(byOthers.read(0, 5)).toEqual(byBytes.read(0, 5));
    expect([...byHandle.read(0, 10)]).toEqual([...content.subarray(0, 10)]);
    expect(Buffer.from(byBytes.read(0, 5)).toString()).toBe('bytes');
    expect(() => Mmap.fromFile({ fd: 'x' } as never)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(ERR_INVALID_ARG_TYPE|ENOENT)$/) as string,
      }) as Error,
    );
    expect(() => Mmap.fromFile({} as never)).toThrow(/"file"/);
  });

  it('populates, and makes pages executable', () => {
    using map = Mmap.fromFile(path, { access: 'read-execute', populate: true });
    expect(map.pageAccess().map(({ access }) => access)).toEqual(['read-execute']);
    expect(() => map.write(0, Uint8Array.of(1))).toThrow(/EFAULT/);
    const writable = join(folder, 'populated');
    writeFileSync(writable, new Uint8Array(3 * pageSize));
    using shared = Mmap.fromFile(writable, { access: 'read-write', populate: true });
    expect(shared.resident()).toBe(3 * pageSize);
  });
});
