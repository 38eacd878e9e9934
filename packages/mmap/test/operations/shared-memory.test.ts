/** Memory that threads and processes share: who finds it, who does not, and what nobody can do to the others. */

import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Mmap, platform, type SharedMemoryHandle } from '../../src/index.js';
import { fixtureJson } from '../support/child.js';
import { FaultyMemory } from '../support/faulty.js';
import { memoryFile } from '../support/raw.js';

const { pageSize } = platform();
const code = (name: string) => expect.objectContaining({ code: name }) as Error;
const gone = code('ERR_MMAP_SHARED_GONE');
const fault = code('EFAULT');
const numDescriptors = () => readdirSync('/proc/self/fd').length;

describe('Mmap.shared and Mmap.openShared', () => {
  it.each([1, pageSize - 1, pageSize, 3 * pageSize + 5])('share %d bytes of zeros', (byteLength) => {
    using map = Mmap.shared(byteLength);
    using other = Mmap.openShared(structuredClone(map.share()));
    using third = Mmap.openShared(JSON.parse(JSON.stringify(other.share())) as SharedMemoryHandle);
    expect([map, other, third].map((each) => each.byteLength)).toEqual(Array(3).fill(byteLength));
    expect(third.read(0, byteLength).every((byte) => byte === 0)).toBe(true);
    new Uint8Array(map.view()).fill(7);
    third.write(byteLength - 1, Uint8Array.of(9));
    expect([map.read(byteLength - 1, 1)[0], other.read(byteLength - 1, 1)[0]]).toEqual([9, 9]);
  });

  it('show their name in /proc/self/maps', () => {
    using map = Mmap.shared(pageSize, { name: 'board of scores' });
    expect(readFileSync('/proc/self/maps', 'latin1')).toContain('/memfd:board of scores');
    expect(() => Mmap.shared(pageSize, { name: 'x'.repeat(250) })).toThrow(/249 bytes/);
    expect(() => Mmap.shared(0)).toThrow(RangeError);
    map.close();
  });

  it('let nobody write who opened them for reading', () => {
    using map = Mmap.shared(3 * pageSize);
    using reader = Mmap.openShared(map.share(), { access: 'read' });
    expect(() => reader.write(0, Uint8Array.of(1))).toThrow(fault);
    expect(() => reader.makeAccessible(0, pageSize)).toThrow(code('EACCES'));
    map.write(2 * pageSize, Uint8Array.of(4));
    expect(reader.read(2 * pageSize, 1)[0]).toBe(4);
    expect(() => Mmap.openShared(map.share(), { access: 'none' as never })).toThrow(/options.access/);
  });

  it('live as long as any map of them, and give their descriptors back', () => {
    const before = numDescriptors();
    const [map, mapAgain] = [Mmap.shared(pageSize), Mmap.shared(pageSize)];
    const other = Mmap.openShared(map.share());
    map.write(0, Uint8Array.of(5));
    map.close();
    mapAgain.close();
    using third = Mmap.openShared(other.share());
    other.close();
    expect(third.read(0, 1)[0]).toBe(5);
    expect(numDescriptors()).toBe(before + 1);
    third.close();
    expect(numDescriptors()).toBe(before);
  });

  it('cannot be cut or made longer by anybody, through the map or the descriptor', () => {
    using map = Mmap.shared(3 * pageSize);
    using other = Mmap.openShared(map.share());
    const { fd } = map.share();
    for (const length of [0, pageSize, 9 * pageSize])
      expect(() => ftruncateSync(fd, length)).toThrow(code('EPERM'));
    expect(() => map.resize(pageSize, { shrinkFile: true })).toThrow(code('ERR_MMAP_FILE_MAPPED'));
    other.close();
    expect(() => map.resize(pageSize, { shrinkFile: true })).toThrow(code('EPERM'));
    expect(() => map.resize(4 * pageSize, { growFile: true })).toThrow(code('EPERM'));
    expect(map.byteLength).toBe(3 * pageSize);
    map.write(2 * pageSize, Uint8Array.of(8));
    // One map shows less, and all of it again.
    map.resize(pageSize);
    map.resize(3 * pageSize);
    expect(map.read(2 * pageSize, 1)[0]).toBe(8);
  });

  it('are found by threads, whose atomic operations count, and outlive one that made them', () => {
    expect(fixtureJson('shared-threads.mjs')).toEqual({ sum: 30_000, fromWorker: 77, afterItsEnd: 77 });
  });

  it('are found by processes, and outlive the one that made them', () => {
    expect(fixtureJson('shared-processes.mjs')).toEqual({
      child: 'parent',
      parent: 'child',
      afterExit: 'late',
    });
  });
});

describe('a handle', () => {
  it('of a closed map is refused, also when its descriptor is another file by now', () => {
    const map = Mmap.shared(pageSize);
    const handle = map.share();
    map.close();
    expect(() => Mmap.openShared(handle)).toThrow(gone);
    using next = Mmap.shared(pageSize);
    expect(next.share().fd).toBe(handle.fd);
    next.write(0, Uint8Array.of(1));
    expect(() => Mmap.openShared(handle)).toThrow(gone);
    expect(() => map.share()).toThrow(code('ERR_MMAP_CLOSED'));
  });

  it('of what is no shared memory is refused, and nothing stays open', () => {
    using map = Mmap.shared(3 * pageSize);
    const handle = map.share();
    const unsealed = memoryFile('unsealed');
    ftruncateSync(unsealed, pageSize);
    const source = openSync(import.meta.filename, 'r');
    const nameOf = (fd: number, byteLength = fstatSync(fd).size) => {
      const { dev: device, ino: inode } = fstatSync(fd);
      return { pid: process.pid, fd, device, inode, byteLength };
    };
    const before = numDescriptors();
    const bad: SharedMemoryHandle[] = [
      nameOf(unsealed),
      { ...handle, fd: unsealed },
      { ...handle, byteLength: 2 * pageSize },
      { ...handle, byteLength: 4 * pageSize },
      { ...handle, fd: 12_345 },
      { ...handle, pid: 2 ** 30 },
      { ...handle, inode: handle.inode + 1 },
      { ...handle, device: handle.device + 1 },
    ];
    for (const each of bad) expect(() => Mmap.openShared(each)).toThrow(gone);
    expect(() => Mmap.openShared(nameOf(source), { access: 'read' })).toThrow(gone);
    expect(numDescriptors()).toBe(before);
    for (const fd of [unsealed, source]) closeSync(fd);
  });

  it.each<[string, unknown]>([
    ['pid', 0],
    ['pid', '1/../self'],
    ['fd', -1],
    ['fd', '3'],
    ['device', 0.5],
    ['inode', 1n],
    ['byteLength', 0],
    ['byteLength', Number.MAX_SAFE_INTEGER],
  ])('with %s %s is refused before the system is asked', (field, value) => {
    using map = Mmap.shared(pageSize);
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    expect(() => Mmap.openShared({ ...map.share(), [field]: value }, { virtualMemory })).toThrow(
      new RegExp(`"handle\\.${field}"`),
    );
    expect(faulty.calls).toEqual([]);
  });

  it('is had of shared memory alone', () => {
    using anonymous = Mmap.anonymous(pageSize);
    using file = Mmap.fromFile(import.meta.filename, { resizable: true });
    for (const map of [anonymous, file]) expect(() => map.share()).toThrow(code('ERR_MMAP_NOT_SHARED'));
    for (const handle of [undefined, null, 3, []])
      expect(() => Mmap.openShared(handle as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  });
});

describe('injected failures', () => {
  it.each(['createSharedFile', 'mapFile'] as const)('%s: no map, and no descriptor', (call) => {
    const faulty = new FaultyMemory();
    faulty.fail(call);
    const before = numDescriptors();
    expect(() => Mmap.shared(pageSize, { virtualMemory: faulty.virtualMemory })).toThrow(`injected-${call}`);
    expect(numDescriptors()).toBe(before);
  });

  it.each(['reopenFile', 'keepsItsLength', 'mapFile'] as const)('%s: the same', (call) => {
    using map = Mmap.shared(pageSize);
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    faulty.fail(call);
    const before = numDescriptors();
    expect(() => Mmap.openShared(map.share(), { virtualMemory })).toThrow(`injected-${call}`);
    expect(numDescriptors()).toBe(before);
  });
});
