/** Keys that are held, on a machine that has them. */
import { Mmap, platform, type SystemError } from '@guardstripe/mmap';
import { afterEach, expect, it } from 'vitest';
import { colouredBytes } from '../src/coloured-bytes.js';
import { keys, ProtectionMask, type KeyLease, type ProtectionKey } from '../src/index.js';
import { rawAllocate, rawFree, rawRights } from './support/raw.js';
import { describeWithKeys } from './support/with-keys.js';

const PAGE = platform().pageSize;
const leases: KeyLease[] = [];
const maps: Mmap[] = [];

function take(max?: number): readonly ProtectionKey[] {
  const lease = keys(max);
  leases.push(lease);
  return lease.keys;
}

function mapOf(pages: number): Mmap {
  const map = Mmap.anonymous(pages * PAGE);
  maps.push(map);
  return map;
}

afterEach(() => {
  for (const map of maps.splice(0)) map.close();
  for (const lease of leases.splice(0)) lease.dispose();
});

describeWithKeys('keys', () => {
  it('are fifteen, all different, and open', () => {
    const ids = take().map(({ id }) => id);
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    for (const id of ids) expect(rawRights(id)).toBe(0);
  });

  it('come with their place in the lease', () => {
    expect(take(3).map(({ stripe }) => stripe)).toEqual([0, 1, 2]);
    expect(take(4).map(({ stripe }) => stripe)).toEqual([0, 1, 2, 3]);
  });

  it('run out: first fewer than wanted, then none', () => {
    take(13);
    expect(take(13)).toHaveLength(2);
    expect(() => take(1)).toThrow(expect.objectContaining({ code: 'ERR_MPK_KEYS_EXHAUSTED' }) as Error);
    expect(take(0)).toHaveLength(0);
    leases.splice(0, 1)[0]?.dispose();
    expect(take()).toHaveLength(13);
  });

  it('that somebody else holds are not had', () => {
    const foreign = rawAllocate(0);
    try {
      const ids = take().map(({ id }) => id);
      expect(ids).toHaveLength(14);
      expect(ids).not.toContain(foreign);
    } finally {
      rawFree(foreign);
    }
  });

  it('that are wanted beyond fifteen are fifteen', () => {
    expect(take(1000)).toHaveLength(15);
  });
});

describeWithKeys('a key', () => {
  it('colours pages and sets what they allow', () => {
    const map = mapOf(6);
    const [a, b, c] = take(3) as [ProtectionKey, ProtectionKey, ProtectionKey];
    a.protect({ map, offset: 0, byteLength: PAGE }, 'read-write');
    b.protect({ map, offset: PAGE, byteLength: 2 * PAGE }, 'read');
    c.protect({ map, offset: 5 * PAGE, byteLength: PAGE }, 'none');
    expect(colouredBytes()).toEqual(
      new Map([
        [a.id, PAGE],
        [b.id, 2 * PAGE],
        [c.id, PAGE],
      ]),
    );
    expect(new Uint8Array(map.view(0, 3 * PAGE)).every((byte) => byte === 0)).toBe(true);
  });

  it('takes over what another coloured', () => {
    const map = mapOf(3);
    const [a, b] = take(2) as [ProtectionKey, ProtectionKey];
    a.protect({ map, offset: 0, byteLength: 3 * PAGE }, 'read-write');
    b.protect({ map, offset: PAGE, byteLength: PAGE }, 'read-write');
    expect(colouredBytes()).toEqual(
      new Map([
        [a.id, 2 * PAGE],
        [b.id, PAGE],
      ]),
    );
  });

  it.each([
    ['an offset inside a page', { offset: 1, byteLength: PAGE }],
    ['a length that ends inside a page', { offset: 0, byteLength: PAGE + 1 }],
    ['a range past the end', { offset: 2 * PAGE, byteLength: 2 * PAGE }],
    ['a range before the start', { offset: -PAGE, byteLength: PAGE }],
    ['a length that is no number of bytes', { offset: 0, byteLength: Number.NaN }],
  ])('refuses %s', (_, range) => {
    const map = mapOf(3);
    const [key] = take(3) as [ProtectionKey];
    expect(() => key.protect({ map, ...range }, 'read-write')).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }) as Error,
    );
    expect(colouredBytes().size).toBe(0);
  });

  it('refuses what is no map of ours', () => {
    const [key] = take(3) as [ProtectionKey];
    const code = 'ERR_INVALID_ARG_TYPE';
    for (const map of [undefined, null, new ArrayBuffer(PAGE), { address: 0, byteLength: PAGE }]) {
      const region = { map, offset: 0, byteLength: PAGE } as never;
      expect(() => key.protect(region, 'none')).toThrow(expect.objectContaining({ code }) as Error);
    }
    expect(() => key.protect(undefined as never, 'none')).toThrow(expect.objectContaining({ code }) as Error);
    const map = mapOf(1);
    expect(() => key.protect({ map, offset: 0, byteLength: PAGE }, 'all' as never)).toThrow(TypeError);
  });

  it('refuses a closed map', () => {
    const map = mapOf(3);
    map.close();
    const [key] = take(3) as [ProtectionKey];
    expect(() => key.protect({ map, offset: 0, byteLength: PAGE }, 'none')).toThrow(
      expect.objectContaining({ name: 'MmapClosedError' }) as Error,
    );
  });

  it('that somebody freed behind our back is refused by the kernel', () => {
    const map = mapOf(1);
    const [key] = take(3) as [ProtectionKey];
    rawFree(key.id);
    expect(() => key.protect({ map, offset: 0, byteLength: PAGE }, 'read')).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'pkey_mprotect' }) as SystemError,
    );
    expect(rawAllocate(0)).toBe(key.id);
  });
});

describeWithKeys('giving keys back', () => {
  it('lets others have them', () => {
    for (let round = 0; round < 40; round++) {
      using lease = keys();
      expect(lease.keys).toHaveLength(15);
    }
  });

  it('is refused while pages carry one of them, and all stay usable', () => {
    const map = mapOf(3);
    const lease = keys(3);
    leases.push(lease);
    const [, middle] = lease.keys as [ProtectionKey, ProtectionKey];
    middle.protect({ map, offset: PAGE, byteLength: PAGE }, 'read-write');
    const refused = expect.objectContaining({
      code: 'ERR_MPK_KEY_IN_USE',
      id: middle.id,
      byteLength: PAGE,
    }) as Error;
    expect(() => lease.dispose()).toThrow(refused);
    expect(lease.keys.map(({ released }) => released)).toEqual([false, false, false]);
    middle.protect({ map, offset: 0, byteLength: PAGE }, 'read-write');
    map.close();
    lease.dispose();
    expect(lease.keys.map(({ released }) => released)).toEqual([true, true, true]);
  });

  it('works once the pages are recoloured, or mapped anew', () => {
    const map = mapOf(3);
    const lease = keys(2);
    leases.push(lease);
    for (const key of lease.keys) {
      key.protect({ map, offset: key.stripe * PAGE, byteLength: PAGE }, 'read-write');
    }
    map.protectWithKey(0, PAGE, 'read-write', 0);
    expect(() => lease.dispose()).toThrow(
      expect.objectContaining({ code: 'ERR_MPK_KEY_IN_USE', id: lease.keys[1]?.id }) as Error,
    );
    map.remapAsZerosAt(PAGE, PAGE, 'read-write');
    lease.dispose();
  });

  it('asks the kernel as long as one of several maps is open', () => {
    const first = mapOf(1);
    const second = mapOf(1);
    const third = mapOf(1);
    const lease = keys(1);
    leases.push(lease);
    const [key] = lease.keys as [ProtectionKey];
    for (const map of [first, second, third]) key.protect({ map, offset: 0, byteLength: PAGE }, 'read');
    first.close();
    third.close();
    expect(() => lease.dispose()).toThrow(
      expect.objectContaining({ code: 'ERR_MPK_KEY_IN_USE', byteLength: PAGE }) as Error,
    );
    second.close();
    lease.dispose();
  });

  it('ends the key: it colours nothing and is in no new mask', () => {
    const map = mapOf(1);
    const lease = keys(3);
    const [key] = lease.keys as [ProtectionKey];
    lease.dispose();
    const released = expect.objectContaining({ code: 'ERR_MPK_KEY_RELEASED', id: key.id }) as Error;
    expect(() => key.protect({ map, offset: 0, byteLength: PAGE }, 'read-write')).toThrow(released);
    expect(() => ProtectionMask.zero.or(key)).toThrow(released);
    expect(colouredBytes().size).toBe(0);
  });

  it('does it once, though disposed twice', () => {
    const lease = keys(3);
    const [{ id }] = lease.keys as [ProtectionKey];
    lease.dispose();
    const again = rawAllocate(0);
    expect(again).toBe(id);
    lease.dispose();
    expect(rawAllocate(0)).toBe(id + 1);
    rawFree(id);
    rawFree(id + 1);
  });
});
