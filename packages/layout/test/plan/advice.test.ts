import { describe, expect, it } from 'vitest';
import { plan } from '../../src/index.js';

describe('advice', () => {
  const adviceOf = (...args: Parameters<typeof plan>) => plan(...args).advice;

  it('is an error only where no pool can be made', () => {
    expect(adviceOf({ memoryProtectionKeys: 'enable' })).toMatchObject([
      {
        code: 'NO_KEYS',
        severity: 'error',
        setting: 'memoryProtectionKeys',
        message:
          "The host has no protection keys, and memoryProtectionKeys 'enable' insists on them; 'auto' does not.",
      },
    ]);
    expect(
      adviceOf({ memoryProtectionKeys: 'enable', maxMemorySize: '1MiB' }, { protectionKeys: 2 }),
    ).toEqual([]);
  });

  it('says what fits into RAM, and what is set too high for it', () => {
    expect(adviceOf({}, { memoryBytes: 2 ** 30 }, { residentBytesPerMemory: 2 ** 21 })).toMatchObject([
      {
        code: 'LITTLE_MEMORY',
        severity: 'warning',
        setting: 'totalMemories',
        message:
          'Only 512 memories fit into 1 GiB of RAM as they are used: lower totalMemories to that, so that the pool says no ' +
          'before the machine does.',
      },
    ]);
    expect(
      adviceOf({ totalMemories: 512 }, { memoryBytes: 2 ** 30 }, { residentBytesPerMemory: 2 ** 21 }),
    ).toEqual([]);
  });

  it('says why keys gain nothing', () => {
    const [one] = adviceOf({ maxMemorySize: 2 ** 20, maxMemoryProtectionKeys: 1 }, { protectionKeys: 15 });
    expect(one).toMatchObject({
      code: 'KEYS_GAIN_NOTHING',
      message:
        'Protection keys gain nothing: stripes take at least two keys, and maxMemoryProtectionKeys is 1.',
    });
  });

  it('notes keys that nobody uses', () => {
    const settings = { maxMemorySize: 2 ** 28, memoryProtectionKeys: 'disable' };
    expect(adviceOf(settings, { protectionKeys: 15 })).toMatchObject([
      {
        code: 'KEYS_UNUSED',
        severity: 'note',
        setting: 'memoryProtectionKeys',
        message: expect.stringMatching(
          /^Because of memoryProtectionKeys the host's 15 protection keys are unused\. With them the slab would be /,
        ) as string,
      },
    ]);
    expect(adviceOf(settings, { protectionKeys: 1 })).toEqual([]);
  });

  it('says in how much the slots do not fit, and what to lower or raise', () => {
    const slab = {
      code: 'SLAB_DOES_NOT_FIT',
      severity: 'error',
      setting: 'totalMemories',
      message:
        '1,000 slots, 3.94 TiB in all, do not fit into one piece of 40 address bits, 672 GiB; 166 do. Lower totalMemories ' +
        'to that, or lower memoryReservation and maxMemorySize, both to what the modules need.',
    };
    expect(adviceOf({}, { addressBits: 40 })).toMatchObject([slab]);
    expect(adviceOf({}, { addressSpaceLimitBytes: 2 ** 40 })[0]?.message).toMatch(
      /do not fit into what RLIMIT_AS leaves, .* do\. Raise the limit \(ulimit -v\), lower totalMemories/,
    );
    // More than can be counted is not said.
    const most = { totalMemories: 2 ** 32 - 1, memoryReservation: 2 ** 40 };
    expect(adviceOf(most)[0]?.message).toMatch(/^4,294,967,295 slots do not fit into one piece/);
  });

  it('says how many slots the mappings are enough for, and how many would be', () => {
    const settings = { totalMemories: 20_000, maxMemorySize: 2 ** 20, memoryReservation: 2 ** 20 };
    expect(adviceOf(settings)).toMatchObject([
      {
        code: 'FEW_MAPPINGS',
        severity: 'warning',
        message:
          'Only 15,742 slots can be used: each takes up to 4 mappings, also once it is free, and vm.max_map_count is ' +
          '65,530. For all slots: sysctl -w vm.max_map_count=82560.',
      },
    ]);
  });

  it('speaks of keys from two on, of the host and of the settings', () => {
    const codes = (settings: object, protectionKeys: number) =>
      adviceOf(settings, { protectionKeys }).map(({ code }) => code);
    const dense = { maxMemorySize: 2 ** 20, memoryProtectionKeys: 'auto' };
    expect([1, 2, 3].map((keys) => codes({}, keys))).toEqual([
      [],
      ['KEYS_GAIN_NOTHING'],
      ['KEYS_GAIN_NOTHING'],
    ]);
    const unused = { ...dense, memoryProtectionKeys: 'disable' };
    expect([1, 2, 3].map((keys) => codes(unused, keys))).toEqual([[], ['KEYS_UNUSED'], ['KEYS_UNUSED']]);
    expect(codes(dense, 15)).toEqual([]);
    const [two] = adviceOf({ maxMemoryProtectionKeys: 2 }, { protectionKeys: 15 });
    expect(two?.message).toMatch(/^Protection keys gain next to nothing/);
  });
});
