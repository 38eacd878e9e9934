import { describe, expect, it } from 'vitest';
import { plan, readFlags, type PlanInput } from '../../src/index.js';
import { GIB, MIB } from '../support/figures.js';

const TIB = 2 ** 40;

describe('whose pool it is', () => {
  it('Wasmtime in a process of its own has no V8 beside its slab, and no margin of mappings', () => {
    expect(plan(readFlags([])).slabLimitBytes).toBe(84 * TIB);
    expect(plan({ embedding: 'wasmtime' }).slabLimitBytes).toBe(84 * TIB);
    expect(plan({ embedding: 'node' }).slabLimitBytes).toBe(63 * TIB);
    // 48 bits: what a program splits is the smaller piece in both.
    expect(plan(readFlags([]), { addressBits: 48 }).slabLimitBytes).toBe(168 * TIB);
    // 20,000 slots: the count of wasmCloud 4360.
    expect(plan(readFlags(['pooling-total-memories=20000'])).slabFits).toBe(true);
    const million = { totalMemories: 1_000_000, memoryReservation: MIB, maxMemorySize: MIB };
    expect(plan({ embedding: 'wasmtime', ...million }).liveByMappings).toBe(Math.floor((65_530 - 512) / 4));
    expect(plan({ embedding: 'wasmtime', ...million }).mapCountForAll).toBe(4_000_512);
    expect(plan({ embedding: 'wasmtime' }, { addressSpaceLimitBytes: '10GiB' }).slabLimitBytes).toBe(
      9.75 * GIB,
    );
  });

  it('advice calls settings as they were given, and else as their runtime does', () => {
    const message = (settings: PlanInput) => plan(settings, { addressBits: 39 }).advice[0]?.message;
    expect(message({})).toMatch(/Lower totalMemories to that, or lower memoryReservation and maxMemorySize,/);
    expect(message(readFlags([]))).toMatch(
      /Lower -O pooling-total-memories to that, or lower -O memory-reservation and -O pooling-max-memory-size,/,
    );
    expect(message({ total_memories: 1000, 'max-memory-size': '64MiB' })).toMatch(
      /Lower total_memories to that, or lower memoryReservation\.$/,
    );
    expect(plan({ total_memories: 3, embedding: 'wasmtime' }).names).toMatchObject({
      totalMemories: 'total_memories',
      memoryGuardSize: '-O memory-guard-size',
      maxUnusedBytesResident: 'maxUnusedBytesResident',
    });
  });

  it.each(['node', 'wasmtime'] as const)("%s: no advice names the other runtime's settings", (embedding) => {
    const settings = [
      { totalMemories: 2 ** 32 - 1, memoryGuardSize: 0, memoryProtectionKeys: 'enable' },
      { maxMemorySize: MIB, memoryProtectionKeys: 'disable' },
      { maxMemoryProtectionKeys: 1, memoryProtectionKeys: 'auto' },
      { memoryProtectionKeys: 'auto', linearMemoryKeepResident: GIB, memoryReservation: 2 ** 32 + 1 },
    ].map((each) => Object.assign(each, { embedding }));
    const hosts = [
      { memoryBytes: '1MiB' },
      { protectionKeys: 15, pageSize: '16KiB', memoryBytes: GIB },
      { protectionKeys: 15, memoryBytes: GIB },
    ];
    const advice = settings.flatMap((each) => hosts.flatMap((host) => plan(each, host).advice));
    expect(new Set(advice.map(({ code }) => code)).size).toBe(9);
    const other = embedding === 'node' ? /-O|pooling/ : /(?<!\w)(?:total|max|memory|guard|linear)[A-Z]/;
    for (const { message } of advice) expect(message).not.toMatch(other);
  });
});
