/** Memories that start as a part of a file: copied once, whatever becomes of the file. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeMemory, FileChangedError, type MemoryDescription } from '../../src/index.js';
import { faultyMemory } from '../support/fault-injection.js';
import { checkBooks, contents, HOST_PAGE, PAGE, scribble, smallPool } from '../support/memories.js';

/** Called before each read of a file, with how many there were. */
const beforeRead = vi.hoisted(() => {
  const hook: (numReads: number) => void = () => undefined;
  return { numReads: 0, hook };
});
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const hooked: typeof fs.readSync = (...args: readonly unknown[]) => {
    beforeRead.hook(beforeRead.numReads++);
    return Reflect.apply(fs.readSync, fs, args) as number;
  };
  return { ...fs, default: fs, readSync: hooked };
});

const folder = mkdtempSync(join(tmpdir(), 'guardstripe-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FILE_BYTES = 3 * PAGE + 777;
const path = join(folder, 'contents');
const bytes = Buffer.from(Uint8Array.from({ length: FILE_BYTES }, (_, i) => (i * 7) % 255));

beforeEach(() => {
  writeFileSync(path, bytes);
  beforeRead.numReads = 0;
});
afterEach(() => (beforeRead.hook = () => undefined));

const numDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** What `contentsOffset` and the part of the file make. */
function expectedBytes(byteLength: number, at: number, offset = 0, count = FILE_BYTES - offset): Buffer {
  const expected = Buffer.alloc(byteLength);
  expected.set(bytes.subarray(offset, offset + count), at);
  return expected;
}

/** Two tenants, each of which must find `expected` and leaves nothing as it was. */
function expectTenants(
  description: MemoryDescription,
  expected: Buffer,
  spoil = (): void => undefined,
): void {
  using pool = smallPool();
  using store = pool.openStore();
  using module = describeMemory(description);
  spoil();
  for (let tenant = 0; tenant < 2; tenant++) {
    const memory = store.allocate({ module });
    expect(contents(memory).equals(expected)).toBe(true);
    scribble(memory);
    memory.free();
  }
  checkBooks(pool);
}

describe('a file', () => {
  const whole = expectedBytes(4 * PAGE, 0);

  it('is a path, relative or not, or a URL', () => {
    expectTenants({ file: path }, whole);
    expectTenants({ file: pathToFileURL(path) }, whole);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('is a descriptor, which stays open and where it was', () => {
    const fd = openSync(path, 'r');
    readSync(fd, Buffer.alloc(10));
    expectTenants({ file: fd }, whole);
    const next = Buffer.alloc(1);
    readSync(fd, next);
    expect(next[0]).toBe(bytes[10]);
    closeSync(fd);
  });

  it('is a FileHandle, which stays open', async () => {
    await using handle = await open(path);
    expectTenants({ file: handle, offset: 5 }, expectedBytes(4 * PAGE, 0, 5));
    const { size } = await handle.stat();
    expect(size).toBe(FILE_BYTES);
  });

  it('gives any part of itself, at any place', () => {
    const part = fc
      .record({ offset: fc.nat(FILE_BYTES), at: fc.nat(4 * PAGE), count: fc.nat(FILE_BYTES) })
      .map(({ offset, at, count }) => ({
        offset,
        at,
        count: Math.min(count, FILE_BYTES - offset, 8 * PAGE - at),
      }));
    fc.assert(
      fc.property(part, ({ offset, at, count }) => {
        const initial = Math.ceil((at + count) / PAGE);
        const description = { file: path, offset, byteLength: count, contentsOffset: at };
        const expected = expectedBytes(initial * PAGE, at, offset, count);
        expectTenants(description, expected);
        expectTenants(
          { ...description, initial: 8 },
          Buffer.concat([expected, Buffer.alloc((8 - initial) * PAGE)]),
        );
      }),
      { numRuns: laps(60, 8) },
    );
  });

  it('may be empty, and so may its part', () => {
    writeFileSync(path, '');
    expectTenants({ file: path }, Buffer.alloc(0));
    expectTenants({ file: path, initial: 1 }, Buffer.alloc(PAGE));
    writeFileSync(path, bytes);
    expectTenants({ file: path, offset: FILE_BYTES, initial: 2 }, Buffer.alloc(2 * PAGE));
  });

  it('leaves no descriptor but the one of the image', () => {
    const before = numDescriptors();
    const module = describeMemory({ file: path });
    expect(numDescriptors()).toBe(before + 1);
    module.close();
    expect(numDescriptors()).toBe(before);
  });

  it('takes memory for its contents only, however many zeros lie between them', () => {
    const megabytes = 256;
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, megabytes * 2 ** 20);
    writeSync(fd, 'end', megabytes * 2 ** 20 - 3);
    closeSync(fd);
    const before = new Set(readdirSync('/proc/self/fd'));
    using module = describeMemory({ file: path });
    expect(module.memories[0]?.initialPages).toBe(BigInt(megabytes * 16));
    const image = readdirSync('/proc/self/fd').find((name) => !before.has(name));
    const { size, blocks } = fstatSync(Number(image));
    expect(size).toBe(megabytes * 2 ** 20);
    expect(blocks * 512).toBeLessThanOrEqual(FILE_BYTES + 2 * HOST_PAGE);
  });
});

describe('a file that changes', () => {
  const whole = expectedBytes(4 * PAGE, 0);

  it.each([
    ['is written to', () => writeFileSync(path, Buffer.alloc(FILE_BYTES, 0xff))],
    ['is cut', () => truncateSync(path, 0)],
    ['is cut within a page', () => truncateSync(path, 5)],
    ['grows', () => appendFileSync(path, 'more')],
    ['is deleted', () => rmSync(path)],
  ])('and %s afterwards changes nothing', (_, spoil) => {
    expectTenants({ file: path }, whole, spoil);
  });

  it('by being cut, and is then touched everywhere, ends no process', () => {
    const fixture = join(import.meta.dirname, '..', 'fixtures', 'cut-file.mjs');
    const { signal, stdout, stderr } = spawnSync(process.execPath, [fixture, path], { encoding: 'utf8' });
    expect({ signal, stdout: stdout.trim(), stderr }).toEqual({
      signal: null,
      stdout: 'all read',
      stderr: '',
    });
  });

  it.each([
    ['cut', () => truncateSync(path, PAGE), /ends at byte 65536 now/],
    ['cut to nothing', () => truncateSync(path, 0), /ends at byte 0 now/],
    ['made longer', () => appendFileSync(path, 'x'), /has 197386 bytes now/],
    ['written to', () => utimesSync(path, 1, 1), /was written to/],
  ])('while it is read, by being %s, is an error, and nothing is left', (_, change, message) => {
    const before = numDescriptors();
    beforeRead.hook = (numReads) => {
      if (numReads === 0) change();
    };
    const described = () => describeMemory({ file: path });
    expect(described).toThrow(FileChangedError);
    writeFileSync(path, bytes);
    beforeRead.numReads = 0;
    expect(described).toThrow(
      expect.objectContaining({
        code: 'ERR_FILE_CHANGED',
        file: path,
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(numDescriptors()).toBe(before);
  });

  it('by a read that fails is the error of the system', () => {
    const before = numDescriptors();
    beforeRead.hook = () => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
    };
    expect(() => describeMemory({ file: path })).toThrow(expect.objectContaining({ code: 'EIO' }) as Error);
    expect(numDescriptors()).toBe(before);
  });

  it('leaves nothing where no image can be made', () => {
    const faulty = faultyMemory();
    faulty.fail('createImage');
    const { virtualMemory } = faulty;
    const before = numDescriptors();
    expect(() => describeMemory({ file: path }, { virtualMemory })).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }) as Error,
    );
    expect(numDescriptors()).toBe(before);
  });
});

describe('what is no file', () => {
  const pipe = join(folder, 'pipe');
  const directory = join(folder, 'directory');
  mkdirSync(directory);
  spawnSync('mkfifo', [pipe]);

  it.each([
    ['ERR_INVALID_ARG_VALUE', { file: directory }],
    ['ERR_INVALID_ARG_VALUE', { file: pipe }],
    ['ERR_INVALID_ARG_VALUE', { file: '/dev/zero', byteLength: 1 }],
    ['ERR_INVALID_ARG_VALUE', { file: '/proc/self/maps' }],
    ['ENOENT', { file: join(folder, 'nothing') }],
    ['EBADF', { file: 100_000 }],
    ['ERR_OUT_OF_RANGE', { file: -1 }],
    ['ERR_OUT_OF_RANGE', { file: { fd: -1 } }],
    ['ERR_OUT_OF_RANGE', { file: 0.5 }],
    ['ERR_INVALID_ARG_TYPE', { file: null }],
    ['ERR_INVALID_ARG_TYPE', { file: {} }],
    ['ERR_INVALID_ARG_TYPE', { file: { fd: '3' } }],
    ['ERR_INVALID_ARG_TYPE', { file: Symbol('file') }],
    ['ERR_INVALID_ARG_VALUE', { file: 'a\0b' }],
    ['ERR_INVALID_URL_SCHEME', { file: new URL('https://example.org/a.bin') }],
  ])('is refused: %s for %o', (code, description) => {
    const before = numDescriptors();
    expect(() => describeMemory(description as never)).toThrow(expect.objectContaining({ code }) as Error);
    expect(numDescriptors()).toBe(before);
  });

  it.each([
    ['ERR_OUT_OF_RANGE', { offset: FILE_BYTES + 1 }],
    ['ERR_OUT_OF_RANGE', { offset: -1 }],
    ['ERR_OUT_OF_RANGE', { byteLength: FILE_BYTES + 1 }],
    ['ERR_OUT_OF_RANGE', { offset: 1, byteLength: FILE_BYTES }],
    ['ERR_OUT_OF_RANGE', { byteLength: Number.NaN }],
    ['ERR_OUT_OF_RANGE', { initial: 3 }],
    ['ERR_OUT_OF_RANGE', { initial: 4, contentsOffset: PAGE }],
    ['ERR_OUT_OF_RANGE', { maximum: 3 }],
    ['ERR_OUT_OF_RANGE', { contentsOffset: 2 ** 32 }],
    ['ERR_INVALID_ARG_TYPE', { offset: '0' }],
    ['ERR_INVALID_ARG_TYPE', { offset: null }],
    ['ERR_INVALID_ARG_TYPE', { initial: null }],
    ['ERR_INVALID_ARG_TYPE', { byteLength: 5n }],
    ['ERR_INVALID_ARG_VALUE', { contents: new Uint8Array(1) }],
    ['ERR_INVALID_ARG_VALUE', { bytelength: 5 }],
  ])('nor is a part that is not in it: %s for %o', (code, part) => {
    expect(() => describeMemory({ file: path, ...part } as never)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it.each([
    ['ERR_INVALID_ARG_VALUE', { initial: 1, offset: 0 }],
    ['ERR_INVALID_ARG_VALUE', { initial: 1, contents: new Uint8Array(1), byteLength: 1 }],
    ['ERR_INVALID_ARG_TYPE', {}],
    ['ERR_INVALID_ARG_TYPE', null],
    ['ERR_INVALID_ARG_TYPE', undefined],
    ['ERR_INVALID_ARG_TYPE', { initial: '1' }],
    ['ERR_OUT_OF_RANGE', { initial: 65_537 }],
  ])('nor a part without a file: %s for %o', (code, description) => {
    expect(() => describeMemory(description as never)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

it('contents without an initial size have as many pages as they reach', () => {
  expectTenants(
    { contents: Uint8Array.of(7), contentsOffset: PAGE },
    Buffer.alloc(2 * PAGE).fill(7, PAGE, PAGE + 1),
  );
});

it.each([
  ['on another system', [], ['plan9'], 'ERR_UNSUPPORTED_PLATFORM', /not on plan9/],
  [
    'without FFI',
    ['--permission', '--allow-fs-read=*', '--no-warnings'],
    [],
    'ERR_FFI_UNAVAILABLE',
    /Cannot load koffi.*--allow-addons/,
  ],
])('%s, where no pool can be made, describing and planning work', (_, options, system, code, reason) => {
  const fixture = join(import.meta.dirname, '..', 'fixtures', 'unsupported.mjs');
  const words = [...options, fixture, path, ...system];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    initializations: ['image', 'image', 'image'],
    code,
    planned: 1000,
    isSupported: false,
    reason: expect.stringMatching(reason) as string,
    imageFiles: 0,
  });
});
