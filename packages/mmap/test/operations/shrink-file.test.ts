/** `resize()` with `shrinkFile`: a file is cut, and nobody in this process meets a page that it has lost. */

import { closeSync, ftruncateSync, readFileSync, statSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Mmap, platform, type FromFileOptions } from '../../src/index.js';
import { fixtureJson } from '../support/child.js';
import { FaultyMemory } from '../support/faulty.js';
import { temporaryFiles } from '../support/files.js';
import { addSeal, F_SEAL, memoryFile } from '../support/raw.js';

const { pageSize } = platform();
const write = temporaryFiles();
const WRITING = { access: 'read-write', resizable: true } as const;
const code = (name: string) => expect.objectContaining({ code: name }) as Error;
const pattern = (byteLength: number) => Uint8Array.from({ length: byteLength }, (_, i) => (i % 251) + 1);

describe('resize with shrinkFile', () => {
  it('cuts the file where the map ends, to the byte', () => {
    const lengths = fc.integer({ min: 1, max: 4 * pageSize });
    fc.assert(
      fc.property(lengths, fc.array(fc.tuple(lengths, fc.boolean()), { maxLength: 6 }), (first, steps) => {
        const bytes = pattern(4 * pageSize);
        const path = write('cut', bytes);
        using map = Mmap.fromFile(path, { ...WRITING, byteLength: first });
        let fileBytes = bytes.length;
        for (const [length, shrinkFile] of steps) {
          if (length > fileBytes) {
            expect(() => map.resize(length, { shrinkFile })).toThrow(code('ERR_OUT_OF_RANGE'));
            continue;
          }
          map.resize(length, { shrinkFile });
          if (shrinkFile) fileBytes = length;
          expect(Buffer.compare(map.read(0, length), bytes.subarray(0, length))).toBe(0);
          expect(Buffer.compare(readFileSync(path), bytes.subarray(0, fileBytes))).toBe(0);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('cuts at the right byte of a part, and together with growFile makes the file as long as the map', () => {
    const path = write('part', pattern(5 * pageSize));
    using map = Mmap.fromFile(path, { ...WRITING, offset: pageSize + 100, byteLength: 3 * pageSize });
    map.resize(2 * pageSize, { shrinkFile: true });
    expect(statSync(path).size).toBe(3 * pageSize + 100);
    map.resize(4 * pageSize, { shrinkFile: true, growFile: true });
    expect(statSync(path).size).toBe(5 * pageSize + 100);
    expect([...map.read(2 * pageSize - 1, 3)]).toEqual([((3 * pageSize + 99) % 251) + 1, 0, 0]);
  });

  it.each<FromFileOptions>([
    { sharing: 'shared' },
    { sharing: 'private' },
    { access: 'read-write' },
    { offset: 3 * pageSize - 1, byteLength: 1 },
  ])('is refused while this process has mapped what would be lost: %o', (options) => {
    const path = write('in-use', pattern(3 * pageSize));
    using map = Mmap.fromFile(path, WRITING);
    const view = map.view();
    using inFront = Mmap.fromFile(path, { byteLength: pageSize });
    const behind = Mmap.fromFile(path, options);
    expect(() => map.resize(pageSize, { shrinkFile: true })).toThrow(code('ERR_MMAP_FILE_MAPPED'));
    expect([statSync(path).size, map.byteLength, view.byteLength]).toEqual(Array(3).fill(3 * pageSize));
    // Nothing is mapped behind that end.
    map.resize(3 * pageSize - 1, { shrinkFile: true });
    // Zeros lie there from now on: its view is not collected.
    expect(behind.view().byteLength).toBeGreaterThan(0);
    behind.close();
    map.resize(pageSize, { shrinkFile: true });
    expect([statSync(path).size, inFront.read(0, 1)[0]]).toEqual([pageSize, 1]);
  });

  it('what runs on a view meanwhile reads zeros, and no signal comes', () => {
    expect(fixtureJson('shrink-file.mjs')).toEqual({ ownBytes: true, lostAreZero: true, size: pageSize });
  });

  it.each([pageSize, 3 * pageSize - 5])('a file that refuses leaves all as it was (%d bytes)', (length) => {
    const fd = memoryFile('no-shrink');
    ftruncateSync(fd, 3 * pageSize);
    using map = Mmap.fromFile(fd, WRITING);
    const bytes = pattern(3 * pageSize);
    map.write(0, bytes);
    map.protect(pageSize, pageSize, 'read');
    expect(addSeal(fd, F_SEAL.shrink)).toBe(0);
    closeSync(fd);
    expect(() => map.resize(length, { shrinkFile: true })).toThrow(
      expect.objectContaining({ name: 'SystemError', code: 'EPERM', syscall: 'ftruncate' }) as Error,
    );
    expect(map.byteLength).toBe(3 * pageSize);
    expect(map.pageAccess().map(({ access }) => access)).toEqual(['read-write', 'read', 'read-write']);
    expect(Buffer.compare(map.read(0, bytes.length), bytes)).toBe(0);
    map.write(3 * pageSize - 1, Uint8Array.of(9));
    map.resize(pageSize);
  });

  it('a file that can neither be cut nor mapped again leaves zeros, and no map that would grow', () => {
    const faulty = new FaultyMemory();
    using map = Mmap.fromFile(write('stuck', pattern(3 * pageSize)), {
      ...WRITING,
      virtualMemory: faulty.virtualMemory,
    });
    faulty.fail('truncateFile', 'mapFile');
    expect(() => map.resize(pageSize, { shrinkFile: true })).toThrow(/injected-truncateFile/);
    faulty.heal();
    expect([map.byteLength, map.read(0, 1)[0], map.read(pageSize, 1)[0]]).toEqual([3 * pageSize, 1, 0]);
    expect(() => map.resize(4 * pageSize)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
    map.resize(pageSize);
  });

  it('every other call that fails leaves map and file as they were', () => {
    const path = write('faulty', pattern(3 * pageSize));
    const faulty = new FaultyMemory();
    using map = Mmap.fromFile(path, { ...WRITING, virtualMemory: faulty.virtualMemory });
    for (const call of ['mappingsOfFile', 'accessOf', 'mapZeros', 'truncateFile'] as const) {
      faulty.fail(call);
      expect(() => map.resize(pageSize, { shrinkFile: true })).toThrow(`injected-${call}`);
      expect([map.byteLength, statSync(path).size]).toEqual([3 * pageSize, 3 * pageSize]);
      expect(Buffer.compare(map.read(0, 3 * pageSize), pattern(3 * pageSize))).toBe(0);
    }
    faulty.heal();
    map.resize(pageSize, { shrinkFile: true });
    expect(statSync(path).size).toBe(pageSize);
  });

  it('needs a map that writes its file, has its descriptor and shows it whole', () => {
    const path = write('no-cut', pattern(3 * pageSize));
    const cut = { shrinkFile: true };
    using read = Mmap.fromFile(path, { resizable: true });
    using own = Mmap.fromFile(path, { ...WRITING, sharing: 'private' });
    using plain = Mmap.fromFile(path, { access: 'read-write' });
    using anonymous = Mmap.anonymous(3 * pageSize);
    using empty = Mmap.fromFile(write('nothing', ''), WRITING);
    using replaced = Mmap.fromFile(path, WRITING);
    replaced.remapAsZerosAt(0, pageSize);
    for (const map of [read, own, anonymous, empty])
      expect(() => map.resize(pageSize, { ...cut, growFile: map === empty })).toThrow(
        code('ERR_INVALID_ARG_VALUE'),
      );
    for (const map of [plain, replaced])
      expect(() => map.resize(pageSize, cut)).toThrow(code('ERR_MMAP_NOT_RESIZABLE'));
    expect(() => replaced.resize(pageSize, { shrinkFile: 1 as never })).toThrow(/"options.shrinkFile"/);
    expect(statSync(path).size).toBe(3 * pageSize);
  });
});
