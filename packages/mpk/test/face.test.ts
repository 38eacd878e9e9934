/** What holds on every machine, and what the package does where there are no keys. */
import { describe, expect, it } from 'vitest';

import {
  allow,
  currentMask,
  isSupported,
  keys,
  ProtectionMask,
  supportReason,
  withMask,
} from '../src/index.js';

describe('support', () => {
  it('is answered once, with a reason exactly where there is none', () => {
    expect(isSupported()).toBe(isSupported());
    if (isSupported()) {
      expect(supportReason()).toBeUndefined();
    } else {
      expect(supportReason()).toMatch(/protection key/);
    }
  });

  it('asking takes no key away', () => {
    isSupported();
    using lease = keys(15);
    // Node itself holds none, so all can be had, or nothing can.
    expect(lease.keys).toHaveLength(isSupported() ? 15 : 0);
  });
});

describe('keys', () => {
  it('none are wanted, none are taken', () => {
    using lease = keys(0);
    expect(lease.keys).toEqual([]);
  });

  it('a lease can be disposed again', () => {
    const lease = keys(3);
    lease.dispose();
    expect(() => {
      lease.dispose();
      lease[Symbol.dispose]();
    }).not.toThrow();
  });

  it.each([-1, 1.5, Number.NaN, Infinity, 2 ** 53])('refuses %s', (max) => {
    expect(() => keys(max)).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }) as Error,
    );
    expect(() => keys(max)).toThrow(String(max));
  });

  it.each(['3', 3n, null, {}])('refuses %s, which is no number', (max) => {
    expect(() => keys(max as never)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }) as Error,
    );
  });
});

describe('masks without keys', () => {
  it('run the function and pass on what it returns or throws', () => {
    expect(withMask(ProtectionMask.zero, () => 42)).toBe(42);
    const error = new Error('mine');
    const fail = () => {
      throw error;
    };
    expect(() => withMask(ProtectionMask.all, fail)).toThrow(error);
  });

  it('changing what nobody owns does nothing', () => {
    allow(ProtectionMask.zero);
    expect(currentMask()).toBeInstanceOf(ProtectionMask);
    allow(ProtectionMask.all);
  });

  it('a mask must be a mask, a key a key', () => {
    const code = 'ERR_INVALID_ARG_TYPE';
    for (const value of [undefined, null, 0, {}, { openBits: 0 }]) {
      expect(() => allow(value as never)).toThrow(expect.objectContaining({ code }) as Error);
      expect(() => ProtectionMask.zero.or(value as never)).toThrow(
        expect.objectContaining({ code }) as Error,
      );
    }
  });
});
