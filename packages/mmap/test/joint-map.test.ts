/** Maps that several threads hold: handles here, threads that end in all ways in child processes. */
import { codeOf, laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import {
  adoptMap,
  countJointMappings,
  jointHandleOf,
  keepJointMap,
  Mmap,
  processState,
  reserveJointly,
  type JointMapHandle,
} from '../src/index.js';
import { fixtureJson, runFixture } from './support/child.js';
import { FaultyMemory } from './support/faulty.js';
import { permissionsAt } from './support/process-maps.js';

const PAGE = 65_536;

describe('a map that threads hold jointly', () => {
  it('lies at one address, and goes with the last that closes it', () => {
    const maps = [reserveJointly(4 * PAGE)];
    const handle = structuredClone(jointHandleOf(maps[0]!));
    maps.push(adoptMap(handle), adoptMap(handle));
    const [first, second, third] = maps as [Mmap, Mmap, Mmap];
    expect([second.address, third.byteLength]).toEqual([first.address, 4 * PAGE]);
    first.makeAccessible(PAGE, PAGE);
    second.write(PAGE, Uint8Array.of(1, 2, 3));
    first.close();
    expect(third.read(PAGE, 3)).toEqual(Uint8Array.of(1, 2, 3));
    third.close();
    third.close();
    expect(permissionsAt(handle.address)).toBe('---p');
    second.close();
    expect(permissionsAt(handle.address)).toBeUndefined();
    expect(codeOf(() => adoptMap(handle))).toBe('ERR_MMAP_SHARED_GONE');
  });

  it('does not move, nor become another length', () => {
    using map = reserveJointly(4 * PAGE);
    expect(codeOf(() => map.resize(8 * PAGE))).toBe('ERR_MMAP_BUSY');
  });

  it('refuses every handle that is not quite right, and stays as it is', () => {
    using map = reserveJointly(PAGE);
    const handle = jointHandleOf(map);
    const gone: Partial<JointMapHandle>[] = [
      { pid: process.pid + 1 },
      { entry: handle.entry + 1 },
      { entry: 1e9 },
      { token: handle.token + 1 },
      { address: handle.address + PAGE },
      { byteLength: 2 * PAGE },
    ];
    for (const change of gone) {
      expect([change, codeOf(() => adoptMap({ ...handle, ...change }))]).toEqual([
        change,
        'ERR_MMAP_SHARED_GONE',
      ]);
    }
    for (const name of ['pid', 'entry', 'token', 'address', 'byteLength'] as const) {
      for (const [value, code] of [
        [-1, 'ERR_OUT_OF_RANGE'],
        [0.5, 'ERR_OUT_OF_RANGE'],
        ['0', 'ERR_INVALID_ARG_TYPE'],
        [undefined, 'ERR_INVALID_ARG_TYPE'],
      ]) {
        expect(codeOf(() => adoptMap({ ...handle, [name]: value }))).toBe(code);
      }
    }
    for (const bad of [undefined, null, 3, 'handle']) {
      expect(codeOf(() => adoptMap(bad as never))).toBe('ERR_INVALID_ARG_TYPE');
    }
    const other = adoptMap(handle);
    map.close();
    expect(permissionsAt(handle.address)).toBe('---p');
    other.close();
  });

  it('is not found by the handle of one that was in its place before', () => {
    const before = reserveJointly(PAGE);
    const stale = jointHandleOf(before);
    before.close();
    using now = reserveJointly(PAGE);
    expect(jointHandleOf(now).entry).toBe(stale.entry);
    expect(codeOf(() => adoptMap(stale))).toBe('ERR_MMAP_SHARED_GONE');
  });

  it('has no handle if it is another kind of map', () => {
    using map = Mmap.reserve(PAGE);
    expect(codeOf(() => jointHandleOf(map))).toBe('ERR_MMAP_NOT_SHARED');
  });

  it('is nothing, and takes no room, where the system refuses it', () => {
    const faulty = new FaultyMemory();
    faulty.fail('reserve');
    expect(codeOf(() => reserveJointly(PAGE, { virtualMemory: faulty.virtualMemory }))).toBe('ENOMEM');
    using map = reserveJointly(PAGE);
    expect(jointHandleOf(map).entry).toBe(0);
  });

  it('may be held 255 times by one thread', () => {
    const maps = [reserveJointly(PAGE)];
    const handle = jointHandleOf(maps[0]!);
    for (let n = 1; n < 255; n++) maps.push(adoptMap(handle));
    expect(codeOf(() => adoptMap(handle))).toBe('ERR_MMAP_TOO_MANY_SHARED');
    for (const map of maps) map.close();
    expect(permissionsAt(handle.address)).toBeUndefined();
  });

  it('is one of 1,024 at most', () => {
    const maps: Mmap[] = [];
    expect(
      codeOf(() => {
        for (;;) maps.push(reserveJointly(PAGE));
      }),
    ).toBe('ERR_MMAP_TOO_MANY_SHARED');
    expect(maps).toHaveLength(1024);
    for (const map of maps) map.close();
    reserveJointly(PAGE).close();
  });

  it('goes all the same, if it was taken back that it is to stay', () => {
    const map = reserveJointly(PAGE);
    const { address } = jointHandleOf(map);
    keepJointMap(map);
    keepJointMap(map, false);
    map.close();
    expect(permissionsAt(address)).toBeUndefined();
  });

  it('is held, as its entry and token say, until the last has closed it', () => {
    const isHeld = (place: JointMapHandle) => processState()!.isHeldJointly(place);
    const map = reserveJointly(PAGE);
    const handle = jointHandleOf(map);
    const other = adoptMap(handle);
    map.close();
    expect(isHeld(handle)).toBe(true);
    expect(isHeld({ ...handle, token: handle.token + 1 })).toBe(false);
    expect([-1, 1e9, NaN].map((entry) => isHeld({ ...handle, entry }))).toEqual([false, false, false]);
    other.close();
    expect(isHeld(handle)).toBe(false);
    using next = reserveJointly(PAGE);
    expect(jointHandleOf(next).entry).toBe(handle.entry);
    expect(isHeld(handle)).toBe(false);
  });

  it('counts mappings that pools make in it, until it goes', () => {
    const counted = () => processState()!.mappings;
    const before = counted();
    const maps = [1, 2, 3].map(() => reserveJointly(PAGE));
    const other = adoptMap(jointHandleOf(maps[1]!));
    for (const [index, map] of maps.entries()) countJointMappings(map, 10 ** index);
    countJointMappings(other, -3);
    expect(counted() - before).toBe(108);
    maps[1]!.close();
    expect(counted() - before).toBe(108);
    other.close();
    expect(counted() - before).toBe(101);
    for (const map of [maps[0]!, maps[2]!]) map.close();
    expect(counted()).toBe(before);
    using own = Mmap.reserve(PAGE);
    expect(codeOf(() => countJointMappings(own, 1))).toBe('ERR_MMAP_NOT_SHARED');
    expect(counted()).toBe(before);
  });

  // Last: its entry is taken for good.
  it('stays when everybody has closed it, once somebody said so', () => {
    const map = reserveJointly(PAGE);
    const handle = jointHandleOf(map);
    const other = adoptMap(handle);
    keepJointMap(other);
    keepJointMap(map);
    map.close();
    other.makeAccessible(0, PAGE);
    other.close();
    expect(permissionsAt(handle.address)).toBe('rw-p');
    expect(codeOf(() => adoptMap(handle))).toBe('ERR_MMAP_SHARED_GONE');
    expect(processState()!.isHeldJointly(handle)).toBe(false);
    using own = Mmap.reserve(PAGE);
    expect(codeOf(() => keepJointMap(own))).toBe('ERR_MMAP_NOT_SHARED');
  });
});

describe('threads that hold a map', () => {
  it('keep it when its maker ends first, in whatever way, and the last one unmaps it', () => {
    const each = { read: [42, 42, 42], during: [true, true, true, true] };
    expect(fixtureJson('joint.mjs', ['maker-first'])).toEqual({
      close: each,
      return: each,
      throw: each,
      exit: each,
      stay: each,
    });
  });

  it('unmap it once, when three let go at the same moment', () => {
    expect(fixtureJson('joint.mjs', ['close-race'])).toEqual({ before: 200, after: 0 });
  });

  it('leave nothing behind, wherever they are killed', () => {
    expect(fixtureJson('joint.mjs', ['storm', String(laps(40, 4))])).toEqual({
      mapped: 0,
      code: 'ERR_MMAP_SHARED_GONE',
    });
  });

  it('leave nothing behind when all of them are killed', () => {
    expect(fixtureJson('joint.mjs', ['all-die'])).toEqual({ during: true });
  });

  it('keep it for good where a view was stolen, and nobody attaches any more', () => {
    expect(fixtureJson('joint.mjs', ['stolen'])).toEqual({ adopted: false, mapped: true });
  });

  it('stay attached until their views are collected', () => {
    const { status, stdout, stderr } = runFixture('joint.mjs', ['views'], ['--expose-gc']);
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ withheld: true });
  });
});
