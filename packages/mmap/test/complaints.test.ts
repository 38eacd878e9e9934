/**
 * What users of other mmap packages complain of, as tests. Each title names what went wrong there; those about ranges that
 * are refused have their tables next to the method they are about.
 */

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { createView, detachView, Mmap, platform } from '../src/index.js';
import { fixtureJson, runFixture } from './support/child.js';
import { temporaryFiles } from './support/files.js';

const { pageSize } = platform();
const GiB = 2 ** 30;
const write = temporaryFiles();
const text = (view: ArrayBuffer) => Buffer.from(view).toString('latin1');

describe('sizes: bus errors or wrong bytes past 2 GiB, offsets that wrap at 4 GiB', () => {
  const MARKS: [number, string][] = [
    [0, 'zero'],
    [2 * GiB - 2, 'two-'],
    [4 * GiB - 2, 'four'],
    [4 * GiB + pageSize, 'page'],
    [6 * GiB + 13, 'odd!'],
  ];
  const sparse = () => {
    const path = write('sparse', '');
    truncateSync(path, 6 * GiB + 2 * pageSize);
    const fd = openSync(path, 'r+');
    for (const [at, mark] of MARKS) writeSync(fd, mark, at);
    closeSync(fd);
    return path;
  };

  it('every byte of a file is where it belongs, through a whole map and through parts', () => {
    const path = sparse();
    using whole = Mmap.fromFile(path);
    expect(whole.byteLength).toBe(6 * GiB + 2 * pageSize);
    const bytes = new Uint8Array(whole.view());
    expect(bytes.length).toBe(whole.byteLength);
    for (const [at, mark] of MARKS) {
      expect(Buffer.from(bytes.subarray(at, at + 4)).toString('latin1')).toBe(mark);
      using part = Mmap.fromFile(path, { offset: at });
      expect(part.byteLength).toBe(whole.byteLength - at);
      expect(text(part.view(0, 4))).toBe(mark);
    }
  });

  it('4 GiB + 4096 bytes are not 4,096 bytes; the rest of the API reaches them', () => {
    const path = sparse();
    using map = Mmap.fromFile(path, { byteLength: 4 * GiB + 4096, access: 'read-write', resizable: true });
    expect(map.view().byteLength).toBe(4 * GiB + 4096);
    new Uint8Array(map.view(4 * GiB, 8)).set(Buffer.from('far away'));
    map.sync(4 * GiB, 8);
    map.advise(4 * GiB, 4096, 'willneed');
    expect(map.resident(4 * GiB, 1)).toBe(pageSize);
    map.resize(6 * GiB + 17);
    expect(text(map.view(6 * GiB + 13))).toBe('odd!');
    const fd = openSync(path, 'r');
    using other = Mmap.fromFile(fd, { offset: 4 * GiB, byteLength: 8 });
    closeSync(fd);
    expect(text(other.view())).toBe('far away');
  });
});

describe('no explicit unmap: finalizers do not run in a busy loop', () => {
  it('100 closed maps of 16 MiB, touched, leave memory and mappings as they were', () => {
    const { grownBytes, grownMappings, resizedBytes } = fixtureJson('busy-loop.mjs') as {
      grownBytes: number;
      grownMappings: number;
      resizedBytes: number;
    };
    expect(grownBytes).toBeLessThan(64 * 2 ** 20);
    expect(resizedBytes).toBeLessThan(64 * 2 ** 20);
    expect(grownMappings).toBeLessThan(20);
  });
});

describe('crashes', () => {
  it('writing to a read-only map ends the process that does it, and no other', () => {
    const path = write('read-only', new Uint8Array(3 * pageSize).fill(1));
    using mine = Mmap.fromFile(path);
    const { signal, stdout } = runFixture('file-touch.mjs', ['write', path, String(pageSize)]);
    expect({ signal, stdout }).toEqual({ signal: 'SIGSEGV', stdout: 'ready ' });
    expect(new Uint8Array(mine.view())[pageSize]).toBe(1);
    expect(readFileSync(path)[pageSize]).toBe(1);
  });

  it.each([
    [pageSize - 1, null, 'ready 1'],
    [pageSize, 'SIGBUS', 'ready '],
    [3 * pageSize - 1, 'SIGBUS', 'ready '],
  ])('byte %i of a file that was truncated to 10 bytes: %s', (at, signal, stdout) => {
    const path = write('truncated', new Uint8Array(3 * pageSize).fill(1));
    const result = runFixture('file-touch.mjs', ['truncate', path, String(at)]);
    // The rest of the last page is zeros, not an error.
    expect(result).toMatchObject({ signal, stdout: signal === null ? 'ready 0' : stdout });
  });

  it('advise on a range that is not ours is refused, and wipes nothing', async () => {
    const maps = [1, 2, 3].map((value) => {
      const map = Mmap.anonymous(3 * pageSize);
      new Uint8Array(map.view()).fill(value);
      return map;
    });
    const middle = maps[1]!;
    for (const [offset, byteLength] of [
      [3 * pageSize, pageSize],
      [-pageSize, pageSize],
      [0, 4 * pageSize],
      [0, -1],
      [pageSize, Infinity],
      [Number.MAX_SAFE_INTEGER, pageSize],
    ] as const) {
      const refusal = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }) as Error;
      expect(() => middle.advise(offset, byteLength, 'free')).toThrow(refusal);
      expect(() => middle.lock(offset, byteLength)).toThrow(refusal);
      expect(() => middle.unlock(offset, byteLength)).toThrow(refusal);
      expect(() => middle.protectWhile(offset, byteLength, 'none')).toThrow(refusal);
      expect(() => middle.name('x', offset, byteLength)).toThrow(refusal);
      await expect(middle.adviseAsync(offset, byteLength, 'free')).rejects.toEqual(refusal);
    }
    const wholePages = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }) as Error;
    for (const [offset, byteLength] of [
      [8, pageSize],
      [0, pageSize - 1],
    ] as const) {
      expect(() => middle.advise(offset, byteLength, 'free')).toThrow(wholePages);
      await expect(middle.adviseAsync(offset, byteLength, 'free')).rejects.toEqual(wholePages);
    }
    maps.forEach((map, i) => expect(new Uint8Array(map.view()).every((byte) => byte === i + 1)).toBe(true));
    for (const map of maps) map.close();
  });

  it('a read after a view was detached reads nothing, and the process lives', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const view = map.view();
    const bytes = new Uint8Array(view).fill(1);
    map.detachView(view);
    expect([bytes[0], bytes.length, view.byteLength]).toEqual([undefined, 0, 0]);
    bytes[0] = 2;
    expect(new Uint8Array(map.view())[0]).toBe(1);
  });
});

describe('closing while views live', () => {
  it('detaches them instead of refusing', () => {
    const map = Mmap.anonymous(3 * pageSize);
    const arrays = [
      new Uint8Array(map.view()),
      new Float64Array(map.view(8, 64)),
      new DataView(map.view(0, 8)),
    ];
    map.close();
    for (const array of arrays) expect(array.buffer.detached).toBe(true);
  });
});

describe('empty files, unaligned offsets, resizing past the end', () => {
  it('are an empty map, exact, and an error with a reason', () => {
    using empty = Mmap.fromFile(write('empty', ''));
    expect(text(empty.view())).toBe('');
    const path = write('letters', 'abcdefghij');
    using map = Mmap.fromFile(path, { offset: 3, byteLength: 4, resizable: true });
    expect(text(map.view())).toBe('defg');
    expect(() => map.resize(8)).toThrow(/"newByteLength" .* at most 0x7 .*where the file ends/);
    map.resize(7);
    expect(text(map.view())).toBe('defghij');
  });
});

describe('worker threads', () => {
  it('a worker that used all of it leaves no descriptor, and Node warns of nothing', () => {
    const { status, stdout, stderr } = runFixture('worker-all.mjs');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // Linux 6.13 alone wants a descriptor of the process.
    expect(JSON.parse(stdout)).toEqual({ leftDescriptors: 0 });
  });

  it('koffi declares everything at the first use: a worker that is terminated later takes nobody along', () => {
    expect(fixtureJson('worker-declares.mjs')).toEqual({ atFirst: expect.any(Number), later: 0 });
  });

  it('a posted view is a copy or refused; a worker makes its own view of the address', async () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = new Uint8Array(map.view());
    bytes[pageSize] = 1;
    const worker = new Worker(new URL('fixtures/worker-view.mjs', import.meta.url), {
      workerData: { copy: map.view(), address: map.address, byteLength: map.byteLength, at: pageSize },
    });
    expect(() => worker.postMessage(map.view(), [map.view()])).toThrow(/transfer/i);
    expect(map.view().detached).toBe(false);
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(answer).toEqual({ copied: 1, own: 1, wroteCopy: 50, wroteOwn: 60 });
    expect(bytes[pageSize]).toBe(60);
    await worker.terminate();
    expect(bytes[pageSize]).toBe(60);
    const mine = createView(map.address, 8);
    detachView(mine);
    expect(bytes.length).toBe(3 * pageSize);
  });
});

describe('Electron', () => {
  it('refuses external array buffers: that is said, and everything but views works', () => {
    expect(fixtureJson('electron.mjs')).toEqual({
      view: 'ViewUnsupportedError ERR_EXTERNAL_VIEW_UNSUPPORTED Electron refuses array buffers over memory outside its heap, so no view can be made',
      resident: pageSize,
      closed: true,
    });
  });
});

describe('installing', () => {
  it('runs no script of ours, and koffi brings prebuilt libraries as packages', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      scripts: Record<string, string>;
      dependencies: Record<string, string>;
    };
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts).not.toHaveProperty(name);
    expect(Object.keys(manifest.dependencies)).toEqual(['koffi']);
  });

  it('as unpacked with --ignore-scripts, without compiler, network or build output, it works', () => {
    const root = dirname(write('package.json', '{ "type": "module" }'));
    const koffi = realpathSync(dirname(createRequire(import.meta.url).resolve('koffi')));
    const native = join(koffi, '..', '@koromix');
    const unpack = (from: string, name: string) =>
      cpSync(from, join(root, 'node_modules', name), {
        recursive: true,
        dereference: true,
        // What a compiler would need, so that it is clear that none was there.
        filter: (path) => !/\.(cc|c|h|hh|hpp|S|asm|inc|cmake|txt)$/.test(path),
      });
    const own = fileURLToPath(new URL('..', import.meta.url));
    const target = join(root, 'node_modules', '@guardstripe', 'mmap');
    mkdirSync(target, { recursive: true });
    for (const name of ['dist', 'package.json'])
      cpSync(join(own, name), join(target, name), { recursive: true });
    unpack(koffi, 'koffi');
    unpack(native, '@koromix');
    const program = `
      import { Mmap } from '@guardstripe/mmap';
      const map = Mmap.anonymous(65536);
      new Uint8Array(map.view())[5] = 42;
      console.log(new Uint8Array(map.view())[5]);`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: root,
      env: { PATH: join(root, 'nothing') },
      encoding: 'utf8',
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: '42\n', stderr: '', status: 0 });
  });
});

describe('require', () => {
  it('serves CommonJS users', () => {
    const result = spawnSync(
      process.execPath,
      ['-e', "const { Mmap } = require('@guardstripe/mmap'); console.log(typeof Mmap.anonymous)"],
      { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
    );
    expect(result.stdout).toBe('function\n');
  });
});
