import { existsSync, readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, SystemError } from '../src/index.js';
import { fixtureJson } from './support/child.js';
import { FaultyMemory } from './support/faulty.js';
import { isMapped } from './support/process-maps.js';

const { pageSize } = platform();

/** The typed error a call ends in. */
function failure(call: () => unknown): SystemError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(SystemError);
    return error as SystemError;
  }
  throw new Error('The call did not fail');
}

describe('calls that the real kernel refuses', () => {
  it('a reservation beyond the address space', () => {
    const error = failure(() => Mmap.reserve(2 ** 52));
    expect(error).toMatchObject({
      code: 'ENOMEM',
      errno: -12,
      syscall: 'mmap',
      address: 0,
      byteLength: 2 ** 52,
    });
    expect(error.message).toBe(
      'ENOMEM: not enough memory, mmap (address 0x0, length 0x10000000000000 (4 PiB), prot 0x0, flags 0x4022, fd -1, offset 0x0)',
    );
  });

  it('a bad descriptor', () => {
    expect(failure(() => Mmap.fromFile(19_999))).toMatchObject({
      code: 'EBADF',
      errno: -9,
      syscall: 'fstat',
    });
  });

  it('an exhausted RLIMIT_AS, in a child', () => {
    expect(fixtureJson('address-limit.mjs')).toMatchObject({
      seen: true,
      reserve: 'SystemError ENOMEM mmap',
      anonymous: 'SystemError ENOMEM mmap',
      intact: true,
      still: true,
      small: 'worked',
    });
  });

  it('a protection that the file does not allow changes nothing', () => {
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(4));
    using map = Mmap.fromFile(image.fd);
    const error = failure(() => map.makeAccessible(pageSize, pageSize));
    expect(error).toMatchObject({
      syscall: 'mprotect',
      address: map.address + pageSize,
      byteLength: pageSize,
    });
    expect(['EACCES', 'EPERM']).toContain(error.code);
    expect(new Uint8Array(map.view())[pageSize]).toBe(4);
  });
});

describe('protection keys', () => {
  it('one that nobody took is refused, and the page stays as it was', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = new Uint8Array(map.view()).fill(5);
    const error = failure(() => map.protectWithKey(pageSize, pageSize, 'none', 9));
    expect(error).toMatchObject({
      syscall: 'pkey_mprotect',
      address: map.address + pageSize,
      byteLength: pageSize,
    });
    expect(['EINVAL', 'ENOSYS']).toContain(error.code);
    bytes[pageSize] = 6;
    expect(bytes[pageSize]).toBe(6);
  });

  it.each([-1, 0.5, Number.NaN, '0'])('%s is refused before the system is asked', (key) => {
    using map = Mmap.anonymous(3 * pageSize);
    expect(() => map.protectWithKey(0, pageSize, 'none', key as number)).toThrow(/"key"/);
    new Uint8Array(map.view())[0] = 1;
  });
});

describe('injected failures', () => {
  it('a reservation that cannot be opened is given back', () => {
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    faulty.fail('protect');
    expect(failure(() => Mmap.anonymous(3 * pageSize, { virtualMemory })).syscall).toBe('injected-protect');
    expect(faulty.calls).toEqual(['reserve', 'protect', 'unmap']);
  });

  it('leave a map as it was, for every operation', () => {
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    using image = memoryImage(new Uint8Array(pageSize).fill(9));
    using map = Mmap.anonymous(3 * pageSize, { virtualMemory });
    const bytes = new Uint8Array(map.view()).fill(5);
    faulty.fail(
      'protect',
      'protectWithKey',
      'decommit',
      'decommitMany',
      'mapFile',
      'mapZeros',
      'sync',
      'advise',
      'lock',
      'unlock',
      'resident',
      'scanResident',
      'accessOf',
      'resize',
      'resizeInPlace',
      'moveLeavingRange',
      'name',
    );
    for (const call of [
      () => map.makeInaccessible(0, pageSize),
      () => map.makeAccessible(0, pageSize),
      () => map.protect(0, pageSize, 'read'),
      () => map.protectWithKey(0, pageSize, 'read', 0),
      () => map.decommit(0, pageSize),
      () => map.mapImageAt(image, 0),
      () => map.remapAsZerosAt(0, pageSize),
      () => map.decommitMany([{ offset: 0, byteLength: pageSize }]),
      () => map.sync(),
      () => map.advise(0, pageSize, 'cold'),
      () => map.lock(0, pageSize),
      () => map.unlock(0, pageSize),
      () => map.resident(),
      () => map.residentPages(),
      () => map.protectWhile(0, pageSize, 'none'),
      () => map.resize(6 * pageSize),
      () => map.name('x'),
    ]) {
      failure(call);
      expect(bytes.every((byte) => byte === 5)).toBe(true);
    }
    faulty.heal();
    map.mapImageAt(image, pageSize);
    expect([bytes[0], bytes[pageSize], bytes[2 * pageSize]]).toEqual([5, 9, 5]);
  });

  it('a failed close leaves the map open, and closing can be tried again', () => {
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    const map = Mmap.anonymous(3 * pageSize, { virtualMemory });
    new Uint8Array(map.view()).fill(5);
    // Its view is not collected yet, so zeros come over the pages instead of nothing.
    faulty.fail('mapZeros');
    failure(() => map.close());
    expect(map.closed).toBe(false);
    expect(new Uint8Array(map.view())[pageSize]).toBe(5);
    faulty.fail('unmap');
    map.detachView(map.view());
    map.close();
    expect(map.closed).toBe(true);
    const unseen = Mmap.anonymous(3 * pageSize, { virtualMemory });
    failure(() => unseen.close());
    expect(unseen.closed).toBe(false);
    faulty.heal();
    unseen.close();
    expect(isMapped(unseen.address)).toBe(false);
  });

  it('a failed image leaves no owner, a failed closing no second try', () => {
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    faulty.fail('createImage');
    failure(() => memoryImage(new Uint8Array(1), { virtualMemory }));
    faulty.heal();
    const image = memoryImage(new Uint8Array(1), { virtualMemory });
    const { fd } = image;
    faulty.fail('closeFile');
    failure(() => image.close());
    expect(image.closed).toBe(true);
    image.close();
    platform().closeFile(fd);
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(false);
  });

  it('a refused file map leaves no descriptor behind', () => {
    const faulty = new FaultyMemory();
    faulty.fail('mapFile');
    const before = readdirSync('/proc/self/fd').length;
    failure(() => Mmap.fromFile(new URL(import.meta.url), { virtualMemory: faulty.virtualMemory }));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('checks come before any system call', () => {
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    using map = Mmap.reserve(3 * pageSize, { virtualMemory });
    faulty.calls.length = 0;
    expect(() => map.decommit(pageSize, 3 * pageSize)).toThrow(RangeError);
    expect(() => map.protect(8, pageSize, 'read')).toThrow(RangeError);
    expect(() => map.remapAsZerosAt(0, pageSize, 'all' as never)).toThrow(TypeError);
    map.decommit(0, 0);
    expect(faulty.calls).toEqual([]);
    map.decommit(0, pageSize);
    expect(faulty.calls).toEqual(['decommit']);
  });
});
