import { truncateSync } from 'node:fs';
import { inspect } from 'node:util';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Mmap, platform } from '../../src/index.js';
import { temporaryFiles } from '../support/files.js';

const { pageSize } = platform();
const write = temporaryFiles();
const fault = expect.objectContaining({ name: 'SystemError', code: 'EFAULT' }) as Error;

describe('read, readInto and write', () => {
  it('copy any bytes, as an array of bytes does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3 * pageSize), fc.uint8Array({ maxLength: 9000 }))), (writes) => {
        using map = Mmap.anonymous(3 * pageSize);
        const model = new Uint8Array(3 * pageSize);
        for (const [offset, bytes] of writes) {
          const part = bytes.subarray(0, model.length - offset);
          map.write(offset, part);
          model.set(part, offset);
          expect(Buffer.compare(map.read(offset, part.length), part)).toBe(0);
        }
        const all = new Uint8Array(model.length);
        map.readInto(all);
        expect(Buffer.compare(all, model)).toBe(0);
      }),
    );
  });

  it('throw where a view would end the process', () => {
    using map = Mmap.reserve(3 * pageSize);
    expect(() => map.read(0, 1)).toThrow(fault);
    map.protect(0, pageSize, 'read');
    expect(map.read(0, 2)).toEqual(Uint8Array.of(0, 0));
    expect(() => map.write(0, Uint8Array.of(1))).toThrow(fault);
    expect(() => map.read(pageSize - 1, 2)).toThrow(fault);
    const path = write('shrinks', new Uint8Array(3 * pageSize).fill(7));
    using file = Mmap.fromFile(path, { access: 'read-write' });
    expect(file.read(2 * pageSize, 1)).toEqual(Uint8Array.of(7));
    truncateSync(path, pageSize);
    expect(() => file.read(2 * pageSize, 1)).toThrow(fault);
    expect(() => file.write(2 * pageSize, Uint8Array.of(1))).toThrow(fault);
    expect(file.read(0, 1)).toEqual(Uint8Array.of(7));
  });

  it('take shared buffers, and refuse what is out of range or no bytes', () => {
    using map = Mmap.anonymous(pageSize);
    const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(3);
    map.write(4, shared);
    shared.fill(0);
    map.readInto(shared, 4);
    expect([...shared]).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
    expect(() => map.read(pageSize, 1)).toThrow(RangeError);
    expect(() => map.write(pageSize - 1, new Uint8Array(2))).toThrow(/"bytes\.byteLength"/);
    expect(() => map.readInto([] as never)).toThrow(/"target".*Uint8Array/);
    expect(map.read(pageSize, 0)).toHaveLength(0);
  });

  it('believe no length but the real one', () => {
    class Longer extends Uint8Array {
      override get byteLength() {
        return 4096;
      }
    }
    using map = Mmap.anonymous(2 * pageSize);
    map.write(0, new Uint8Array(pageSize).fill(1));
    const { buffer } = new Uint8Array(4096);
    map.readInto(new Longer(buffer, 0, 8));
    expect([...new Uint8Array(buffer, 0, 9)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
    map.write(pageSize, new Longer(buffer, 8, 8).fill(2));
    expect([...map.read(pageSize, 9)]).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 0]);
    const fake = Object.create(Uint8Array.prototype, { byteLength: { value: 8 } }) as Uint8Array;
    expect(() => map.readInto(fake)).toThrow(/"target".*Uint8Array/);
    expect(() => map.write(0, fake)).toThrow(/"bytes".*Uint8Array/);
  });

  it('reach what pageAccess says that they reach', () => {
    const real = platform();
    using map = Mmap.reserve(3 * pageSize);
    map.protect(0, pageSize, 'read-write');
    map.write(0, Uint8Array.of(1, 2, 3));
    expect(real.accessOf(map.address, pageSize)).toHaveLength(1);
    expect(map.pageAccess()).toEqual([
      { offset: 0, byteLength: pageSize, access: 'read-write' },
      { offset: pageSize, byteLength: 2 * pageSize, access: 'none' },
    ]);
    expect(map.pageAccess(pageSize - 1, 0)).toEqual([]);
  });
});

describe('the whole map', () => {
  it('is what calls without a range are about', async () => {
    using map = Mmap.anonymous(3 * pageSize);
    map.protect('read');
    expect(map.pageAccess()).toEqual([{ offset: 0, byteLength: 3 * pageSize, access: 'read' }]);
    map.protect('read-write');
    map.advise('nohugepage');
    await map.adviseAsync('populate-write');
    expect(map.resident()).toBe(3 * pageSize);
    map.lock();
    expect(() => map.decommit(0, pageSize)).toThrow(expect.objectContaining({ code: 'EINVAL' }) as Error);
    map.unlock();
    map.decommit(0, pageSize);
    expect(() => map.protect('all' as never)).toThrow(/'access'/);
  });

  it('is printed without a byte of it being read', () => {
    const map = Mmap.reserve(3 * pageSize);
    expect(inspect(map)).toMatch(/^Mmap \{ 0x3000 \(12 KiB\) at 0x[0-9a-f]+, open \}$/);
    expect(inspect(map.view())).toBe('ArrayBuffer { (mapped memory), byteLength: 12288 }');
    const view = map.view();
    map.close();
    expect(inspect({ view })).toContain('(mapped memory, detached)');
    expect(inspect([map])).toContain('closed');
  });

  it('may be of any length; the rest of its last page is mapped, and not shown', () => {
    using map = Mmap.anonymous(pageSize + 1);
    expect(map.byteLength).toBe(pageSize + 1);
    expect(map.view().byteLength).toBe(pageSize + 1);
    map.protect(pageSize, 1, 'read');
    expect(() => map.write(pageSize, Uint8Array.of(1))).toThrow(fault);
    expect(() => Mmap.anonymous(0)).toThrow(RangeError);
    expect(() => Mmap.anonymous(2 ** 53 - 1)).toThrow(RangeError);
  });
});
