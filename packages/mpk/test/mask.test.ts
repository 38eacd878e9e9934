/** Masks and the register, on a machine that has keys. */
import { Mmap, platform } from '@guardstripe/mmap';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allow, currentMask, keys, ProtectionMask, withMask } from '../src/index.js';
import type { KeyLease, ProtectionKey } from '../src/index.js';
import { AFTER_A_FAULT, rawAllocate, rawFree, rawPkru, rawRights, setRawPkru } from './support/raw.js';
import { describeWithKeys } from './support/with-keys.js';

const PAGE = platform().pageSize;
let lease: KeyLease;
let a: ProtectionKey;
let b: ProtectionKey;
let c: ProtectionKey;

/** Which of the three are open: 'abc', 'b', ''. */
function open(): string {
  return [a, b, c].map(({ id }, i) => (rawRights(id) === 0 ? 'abc'.charAt(i) : '')).join('');
}

function only(...held: ProtectionKey[]): ProtectionMask {
  return held.reduce((mask, key) => mask.or(key), ProtectionMask.zero);
}

describeWithKeys('masks', () => {
  beforeEach(() => {
    lease = keys(3);
    [a, b, c] = lease.keys as [ProtectionKey, ProtectionKey, ProtectionKey];
  });
  afterEach(() => {
    allow(ProtectionMask.all);
    lease.dispose();
  });

  it('are sets of keys', () => {
    const mask = only(a, c, a);
    expect([a, b, c].map((key) => mask.allows(key))).toEqual([true, false, true]);
    expect([a, b, c].map((key) => ProtectionMask.all.allows(key))).toEqual([true, true, true]);
    expect([a, b, c].map((key) => ProtectionMask.zero.allows(key))).toEqual([false, false, false]);
    expect(() => mask.allows({ id: a.id } as never)).toThrow(TypeError);
  });

  it('say what is open, and are written as they are', () => {
    for (const set of [[], [a], [b], [c], [a, b], [a, c], [b, c], [a, b, c]]) {
      allow(only(...set));
      expect(open()).toBe(names(set));
      const now = currentMask();
      expect([a, b, c].filter((key) => now.allows(key))).toEqual(set);
    }
  });

  it('read back and written again change nothing', () => {
    allow(only(b));
    const before = rawPkru();
    allow(currentMask());
    expect(rawPkru()).toBe(before);
  });

  it('change nobody else’s keys', () => {
    const closed = rawAllocate(0b01);
    const readOnly = rawAllocate(0b10);
    const free = rawAllocate(0b00);
    const rights = () => [closed, readOnly, free].map(rawRights);
    try {
      expect(rights()).toEqual([0b01, 0b10, 0b00]);
      for (const mask of [ProtectionMask.zero, ProtectionMask.all, only(b)]) {
        allow(mask);
        expect(rights()).toEqual([0b01, 0b10, 0b00]);
        expect(withMask(only(a), rights)).toEqual([0b01, 0b10, 0b00]);
        expect(rights()).toEqual([0b01, 0b10, 0b00]);
      }
      expect(rawRights(0)).toBe(0);
      // What the function itself does to them stays, too.
      withMask(ProtectionMask.zero, () => setRawPkru(rawPkru() | (0b11 << (2 * free))));
      expect(rights()).toEqual([0b01, 0b10, 0b11]);
    } finally {
      for (const id of [closed, readOnly, free]) rawFree(id);
    }
  });

  it('with a key that was given back are refused, for its number may be somebody else’s', () => {
    const stale = only(a, c);
    allow(stale);
    const other = keys(1);
    const [d] = other.keys as [ProtectionKey];
    const withOther = only(a, d);
    allow(withOther);
    other.dispose();
    const foreign = rawAllocate(0b11);
    expect(foreign).toBe(d.id);
    const released = expect.objectContaining({ code: 'ERR_MPK_KEY_RELEASED', id: d.id }) as Error;
    const before = rawPkru();
    let ran = false;
    expect(() => allow(withOther)).toThrow(released);
    expect(() => withMask(withOther, () => (ran = true))).toThrow(released);
    expect(ran).toBe(false);
    expect(rawPkru()).toBe(before);
    // The others are as good as before.
    allow(stale);
    expect(open()).toBe('ac');
    rawFree(foreign);
  });
});

function names(set: readonly ProtectionKey[]): string {
  return set.map((key) => 'abc'.charAt([a, b, c].indexOf(key))).join('');
}

describeWithKeys('withMask', () => {
  beforeEach(() => {
    lease = keys(3);
    [a, b, c] = lease.keys as [ProtectionKey, ProtectionKey, ProtectionKey];
  });
  afterEach(() => {
    allow(ProtectionMask.all);
    lease.dispose();
  });

  it('opens the mask’s keys only, and puts back what was there', () => {
    allow(only(a, b));
    const before = rawPkru();
    expect(withMask(only(c), () => open())).toBe('c');
    expect(rawPkru()).toBe(before);
    expect(withMask(ProtectionMask.zero, () => open())).toBe('');
    expect(withMask(ProtectionMask.all, () => open())).toBe('abc');
    expect(open()).toBe('ab');
  });

  it('puts it back when the function throws', () => {
    allow(only(a, c));
    const fail = () => {
      throw new RangeError('mine');
    };
    expect(() => withMask(only(b), fail)).toThrow(new RangeError('mine'));
    expect(open()).toBe('ac');
  });

  it('puts it back when something closed every key in between, as a jump out of a fault does', () => {
    allow(only(a, b));
    withMask(only(c), () => setRawPkru(AFTER_A_FAULT));
    expect(open()).toBe('ab');
    const faultAndThrow = () => {
      setRawPkru(AFTER_A_FAULT);
      throw new Error('trapped');
    };
    expect(() => withMask(only(b), faultAndThrow)).toThrow('trapped');
    expect(open()).toBe('ab');
    // The host reaches coloured memory again, without anybody's help.
    const map = Mmap.anonymous(PAGE);
    a.protect({ map, offset: 0, byteLength: PAGE }, 'read-write');
    withMask(only(c), () => setRawPkru(AFTER_A_FAULT));
    expect(new Uint8Array(map.view())[0]).toBe(0);
    map.close();
  });

  it('can be nested', () => {
    const seen: string[] = [];
    const look = () => seen.push(open());
    withMask(only(a, b), () => {
      look();
      withMask(only(b, c), () => {
        look();
        withMask(ProtectionMask.zero, look);
        look();
        expect(() =>
          withMask(only(a), () => {
            setRawPkru(AFTER_A_FAULT);
            throw new Error('inner');
          }),
        ).toThrow('inner');
        look();
      });
      look();
    });
    look();
    expect(seen).toEqual(['ab', 'bc', '', 'bc', 'bc', 'ab', 'abc']);
  });

  it('refuses a function that returns a promise, and restores', () => {
    const code = 'ERR_INVALID_RETURN_VALUE';
    expect(() => withMask(only(a), () => Promise.resolve(1))).toThrow(
      expect.objectContaining({ code }) as Error,
    );
    expect(open()).toBe('abc');
  });

  it('refuses a wrong mask before it runs anything', () => {
    let ran = false;
    expect(() => withMask({ openBits: 0 } as never, () => (ran = true))).toThrow(TypeError);
    expect(ran).toBe(false);
  });

  it('leaves keys alone that the function took, or gave back', () => {
    let inner: KeyLease | undefined;
    withMask(ProtectionMask.zero, () => (inner = keys(2)));
    const taken = inner!.keys;
    expect(taken.map(({ id }) => rawRights(id))).toEqual([0, 0]);
    withMask(only(b), () => {
      inner!.dispose();
      for (const { id } of taken) expect(rawAllocate(0b01)).toBe(id);
    });
    expect(taken.map(({ id }) => rawRights(id))).toEqual([0b01, 0b01]);
    for (const { id } of taken) rawFree(id);
    expect(open()).toBe('abc');
  });
});
