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
});
