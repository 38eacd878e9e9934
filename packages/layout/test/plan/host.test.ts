import { describe, expect, it } from 'vitest';
import { plan } from '../../src/index.js';
import { resolveHost } from '../../src/plan/host.js';

describe('a host', () => {
  it('is an x86-64 Linux that nobody has changed, where nothing is said', () => {
    expect(resolveHost({}, 'node')).toEqual({
      pageSize: 4096,
      addressBits: 47,
      slabLimitBytes: 63 * 2 ** 40,
      slabLimitedBy: 'address bits',
      maxMapCount: 65_530,
      mappingsLeft: 2560,
      protectionKeys: 0,
      memoryBytes: Infinity,
      guardPages: false,
    });
  });

  it('may have no bounds', () => {
    const unbounded = { addressSpaceLimitBytes: Infinity, memoryBytes: Infinity, maxMapCount: Infinity };
    expect(resolveHost(unbounded, 'node')).toMatchObject({
      slabLimitedBy: 'address bits',
      maxMapCount: Infinity,
      memoryBytes: Infinity,
    });
    expect(resolveHost({ maxMapCount: undefined }, 'node').maxMapCount).toBe(Infinity);
  });

  it('is bound by RLIMIT_AS where that leaves less than the address bits', () => {
    const own = 1.5 * 2 ** 30;
    const limited = (bytes: number) =>
      resolveHost({ largestReservationBytes: 2 ** 40, addressSpaceLimitBytes: bytes + own }, 'node');
    expect(limited(2 ** 40 - 1)).toMatchObject({ slabLimitBytes: 2 ** 40 - 1, slabLimitedBy: 'RLIMIT_AS' });
    expect(limited(2 ** 40)).toMatchObject({ slabLimitBytes: 2 ** 40, slabLimitedBy: 'address bits' });
    expect(limited(-own)).toMatchObject({ slabLimitBytes: 0, slabLimitedBy: 'RLIMIT_AS' });
  });

  it.each([
    ['pageSize', 5000],
    ['addressBits', 19],
    ['protectionKeys', 17],
    ['guardPages', 1],
    ['largestReservationBytes', -1],
    ['addressSpaceLimitBytes', 'much'],
    ['memoryBytes', -1],
    ['maxMapCount', 1.5],
  ])('is refused by the name of %s', (name, value) => {
    expect(() => plan({}, { [name]: value })).toThrow(`host.${name}`);
  });
});

describe('guard markers', () => {
  const small = {
    totalMemories: 100_000,
    maxMemorySize: 2 ** 20,
    memoryReservation: 2 ** 20,
    memoryGuardSize: 2 ** 20,
  };
  const host = { guardPages: true, memoryBytes: Infinity };

  it('save the mappings of slots where the kernel has them, and mappings are short', () => {
    expect(plan(small, host, { hasImage: false })).toMatchObject({
      mappingsPerMemory: 0,
      liveByMappings: Infinity,
    });
    expect(plan(small, host)).toMatchObject({ mappingsPerMemory: 2, boundBy: 'mappings' });
    expect(plan(small, { ...host, guardPages: false }).mappingsPerMemory).toBe(4);
    expect(plan({ ...small, totalMemories: 10 }, host).mappingsPerMemory).toBe(4);
    expect(plan({ ...small, guardPages: 'disable' }, host).mappingsPerMemory).toBe(4);
    // What the kernel has not, nobody has for having asked.
    expect(plan({ ...small, guardPages: 'enable' }, { ...host, guardPages: false }).mappingsPerMemory).toBe(
      4,
    );
  });

  it('leave a mapping to each slot of a stripe', () => {
    const striped = plan(small, { ...host, protectionKeys: 15 }, { hasImage: false });
    expect(striped.layout.numStripes).toBeGreaterThan(1);
    expect(striped.mappingsPerMemory).toBe(1);
  });
});
