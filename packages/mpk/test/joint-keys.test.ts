/** Keys of a map that threads hold jointly, as one thread sees them; threads that end are in memory-pool's tests of striped shared pools. */
import { adoptMap, jointHandleOf, Mmap, platform, reserveJointly } from '@guardstripe/mmap';
import { afterEach, describe, expect, it } from 'vitest';
import {
  adoptKeys,
  allow,
  keys,
  leaveKeys,
  ProtectionMask,
  shareKeys,
  withMask,
  type KeyLease,
} from '../src/index.js';
import { rawRights } from './support/raw.js';
import { describeWithKeys } from './support/with-keys.js';

const PAGE = platform().pageSize;
const NOT_SHARED = expect.objectContaining({ code: 'ERR_MMAP_NOT_SHARED' });
const RELEASED = expect.objectContaining({ code: 'ERR_MPK_KEY_RELEASED' });

const maps: Mmap[] = [];
afterEach(() => {
  for (const map of maps.splice(0)) map.close();
});

function jointMap(): Mmap {
  const map = reserveJointly(PAGE);
  maps.push(map);
  return map;
}

describe('a lease without keys', () => {
  it('is shared, adopted and left like any other', () => {
    const map = jointMap();
    const lease = keys(0);
    const joint = shareKeys(lease, map);
    expect(joint).toEqual([]);
    const adopted = adoptKeys(map, joint);
    expect(adopted.keys).toEqual([]);
    const left: string[] = [];
    leaveKeys(adopted, () => left.push('left'));
    leaveKeys(lease, () => left.push('left'));
    expect(left).toEqual(['left', 'left']);
  });

  it('is of a map that threads hold, and of no other', () => {
    using map = Mmap.anonymous(PAGE);
    expect(() => shareKeys(keys(0), map)).toThrow(NOT_SHARED);
    expect(() => adoptKeys(map, [])).toThrow(NOT_SHARED);
    const code = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => shareKeys({} as KeyLease, jointMap())).toThrow(code);
    expect(() => leaveKeys({} as KeyLease, () => undefined)).toThrow(code);
    expect(() => adoptKeys({} as Mmap, [])).toThrow(code);
    for (const bad of [undefined, null, 'keys', [1], [{ id: '1', generation: 1 }], [{ id: 1 }]])
      expect(() => adoptKeys(jointMap(), bad as never)).toThrow(code);
    for (const bad of [
      { id: 0, generation: 1 },
      { id: 1, generation: 2 ** 31 },
      { id: 1, generation: 0.5 },
    ])
      expect(() => adoptKeys(jointMap(), [bad])).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
  });
});

describeWithKeys('keys of a map that threads hold', () => {
  /** Three of them, in two hands. */
  function setUp() {
    const map = reserveJointly(PAGE);
    const lease = keys(3);
    const joint = shareKeys(lease, map);
    const otherMap = adoptMap(jointHandleOf(map));
    const other = adoptKeys(otherMap, structuredClone(joint));
    const rights = () => lease.keys.map(({ id }) => rawRights(id) === 0);
    const close = () => {
      leaveKeys(lease, () => map.close());
      leaveKeys(other, () => otherMap.close());
    };
    return { map, lease, joint, otherMap, other, rights, close };
  }
  const numFree = () => {
    using lease = keys();
    return lease.keys.length;
  };

  it('are given back by the last that leaves', () => {
    const { map, lease, otherMap, other } = setUp();
    expect(other.keys.map(({ id, stripe }) => [id, stripe])).toEqual(
      lease.keys.map(({ id, stripe }) => [id, stripe]),
    );
    expect(numFree()).toBe(12);
    leaveKeys(other, () => otherMap.close());
    expect(numFree()).toBe(12);
    expect(other.keys.map(({ released }) => released)).toEqual([true, true, true]);
    expect(() => ProtectionMask.zero.or(other.keys[0]!)).toThrow(RELEASED);
    expect(lease.keys[0]!.released).toBe(false);
    leaveKeys(lease, () => map.close());
    expect(numFree()).toBe(15);
  });

  it('are not disposed of while others have them', () => {
    const { lease, rights, other, close } = setUp();
    lease.dispose();
    expect(rights()).toEqual([false, false, false]);
    expect(numFree()).toBe(12);
    allow(ProtectionMask.zero.or(other.keys[1]!));
    expect(rights()).toEqual([false, true, false]);
    close();
    expect(numFree()).toBe(15);
  });

  it('are adopted by who names them as they are, from the map that has them', () => {
    const { map, joint, close } = setUp();
    const stale = joint.map(({ id, generation }) => ({ id, generation: generation - 1 }));
    expect(() => adoptKeys(map, stale)).toThrow(RELEASED);
    expect(() => adoptKeys(jointMap(), joint)).toThrow(RELEASED);
    expect(() => adoptKeys(map, [{ id: 16, generation: 0 }])).toThrow(RELEASED);
    expect(() => adoptKeys(map, [{ id: 1e9, generation: 0 }])).toThrow(RELEASED);
    const own = keys(1);
    expect(() => adoptKeys(map, [{ id: own.keys[0]!.id, generation: 0 }])).toThrow(RELEASED);
    own.dispose();
    expect(() => shareKeys(own, map)).toThrow(RELEASED);
    close();
  });

  it('opened or left while a mask is on stay so', () => {
    const { map, lease, joint, rights, close } = setUp();
    allow(ProtectionMask.zero);
    const again = withMask(ProtectionMask.zero, () => adoptKeys(map, joint));
    expect(rights()).toEqual([true, true, true]);
    withMask(ProtectionMask.zero.or(lease.keys[1]!), () => {
      expect(rights()).toEqual([false, true, false]);
      leaveKeys(again, () => undefined);
      expect(rights()).toEqual([false, false, false]);
    });
    expect(rights()).toEqual([false, false, false]);
    allow(ProtectionMask.all);
    withMask(ProtectionMask.zero, () => undefined);
    expect(rights()).toEqual([true, true, true]);
    close();
  });

  it('stay where a map cannot be let go of, and are given back when it can', () => {
    const { map, lease, otherMap, other } = setUp();
    leaveKeys(other, () => otherMap.close());
    const refuse = () => {
      throw new Error('refused');
    };
    expect(() => leaveKeys(lease, refuse)).toThrow('refused');
    expect(numFree()).toBe(12);
    leaveKeys(lease, () => map.close());
    expect(numFree()).toBe(15);
  });

  it('are given back, too, where they were never shared', () => {
    const lease = keys(3);
    leaveKeys(lease, () => undefined);
    expect(numFree()).toBe(15);
  });
});
