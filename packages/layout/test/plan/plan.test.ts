import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  calculate,
  plan,
  readFlags,
  slabConstraints,
  type Plan,
  type PlanHost,
  type SlabLimits,
  type SlabTunables,
} from '../../src/index.js';
import { GIB, MIB } from '../support/figures.js';

const TIB = 2 ** 40;

const codes = (answer: Plan) => answer.advice.map(({ code }) => code);

const messageOf = (answer: Plan, code: string) =>
  answer.advice.find((advice) => advice.code === code)?.message ?? '';

describe('known stories', () => {
  it('1,000 slots of 6 GiB on a 39-bit machine: says how many fit, and that lower sizes would do', () => {
    const settings = { memoryGuardSize: 2 * GIB };
    const answer = plan(settings, { addressBits: 39 });
    // The very size of the report: mmap failed to reserve 0x5dc80000000 bytes.
    expect(answer.wantedSlabBytes).toBe(0x5dc_8000_0000);
    expect(answer.fits).toBe(false);
    expect(answer.boundBy).toBe('address space');
    // Two thirds of 512 GiB, less a little: one guard and 55 slots of 6 GiB.
    expect(answer.liveMemories).toBe(55);
    expect(codes(answer)).toStrictEqual(['SLAB_DOES_NOT_FIT']);
    expect(messageOf(answer, 'SLAB_DOES_NOT_FIT')).toBe(
      '1,000 slots, 5.86 TiB in all, do not fit into one piece of 39 address bits, 336 GiB; 55 do. Lower ' +
        'totalMemories to that, or lower memoryReservation and maxMemorySize, both to what the modules need.',
    );
    expect(plan({ ...settings, totalMemories: 55 }, { addressBits: 39 }).fits).toBe(true);
    const small = { ...settings, memoryReservation: 64 * MIB, maxMemorySize: 64 * MIB, memoryGuardSize: MIB };
    expect(plan(small, { addressBits: 39 }).fits).toBe(true);
  });

  it('names memoryReservation where it is larger than any memory', () => {
    const answer = plan({ maxMemorySize: 64 * MIB }, { addressBits: 39 });
    expect(answer.advice[0]).toMatchObject({ code: 'SLAB_DOES_NOT_FIT', setting: 'memoryReservation' });
    const cost = answer.costs.find(({ setting }) => setting === 'memoryReservation');
    expect(cost).toMatchObject({ value: 4 * GIB, instead: 64 * MIB });
    expect(cost?.slotsByAddressSpace).toBeGreaterThan(3000);
  });

  it('the same 1,000 slots fit 47 bits', () => {
    const answer = plan({ memoryGuardSize: 2 * GIB });
    expect(answer).toMatchObject({ fits: true, liveMemories: 1000, boundBy: 'totalMemories', advice: [] });
    expect(answer.layout.totalSlabBytes).toBe(0x5dc_8000_0000);
  });

  it('a slab is one piece: of 47 bits V8 leaves 64 TiB', () => {
    const default47 = plan({ totalMemories: 1 });
    expect(default47.slabLimitBytes).toBe(63 * TIB);
    expect(plan({}, { addressBits: 48 }).slabLimitBytes).toBe(Math.floor((2 ** 48 / 3) * 2 * (63 / 64)));
    expect(plan({}, { largestReservationBytes: 5 * TIB }).slabLimitBytes).toBe(5 * TIB);
    // 20,000 slots of 4 GiB, the count of wasmCloud 4360.
    expect(plan({ totalMemories: 20_000 }).fits).toBe(false);
    expect(default47.slotsByAddressSpace).toBe(Math.floor((63 * TIB - 32 * MIB) / (4 * GIB + 32 * MIB)));
  });

  it.each([16_384, 65_536])('pages of %d bytes: sizes round up, and it says which', (pageSize) => {
    const answer = plan(
      { maxMemorySize: 3 * 4096, memoryGuardSize: 4096, memoryReservation: MIB },
      { pageSize },
    );
    expect(answer.layout).toMatchObject({ pageSize, maxMemoryBytes: pageSize, preSlabGuardBytes: pageSize });
    expect(codes(answer)).toStrictEqual(['LARGE_PAGES']);
    expect(messageOf(answer, 'LARGE_PAGES')).toContain(
      `maxMemorySize from 12 KiB to ${pageSize / 1024} KiB, memoryGuardSize from 4 KiB to ${pageSize / 1024} KiB`,
    );
    expect(plan({}, { pageSize }).advice).toStrictEqual([]);
    expect(codes(plan({ maxMemorySize: 5000 }))).not.toContain('LARGE_PAGES');
  });

  it('keys with 4 GiB memories gain nothing, and it says why', () => {
    const answer = plan({}, { protectionKeys: 15 });
    expect(answer.layout.numStripes).toBe(2);
    expect(answer.densityGain).toBeCloseTo(1.008, 3);
    expect(answer.advice).toMatchObject([
      { code: 'KEYS_GAIN_NOTHING', severity: 'warning', setting: 'maxMemorySize' },
    ]);
    expect(messageOf(answer, 'KEYS_GAIN_NOTHING')).toBe(
      'Protection keys gain next to nothing: a memory may fill 4 GiB of the 4 GiB reserved for it and 32 MiB of guard, ' +
        'so no neighbour fits in between. Lower maxMemorySize.',
    );
  });

  it('keys with 256 MiB memories hold fifteen times as many, and Wasmtime leaves them unused', () => {
    const settings = { maxMemorySize: 256 * MIB };
    const striped = plan(settings, { protectionKeys: 15 });
    expect(striped.layout.numStripes).toBe(15);
    expect(striped.densityGain).toBeGreaterThan(14.9);
    expect(striped.advice).toStrictEqual([]);

    const plain = plan(readFlags(['pooling-max-memory-size=256MiB']), { protectionKeys: 15 });
    expect(plain.densityGain).toBe(1);
    expect(codes(plain)).toStrictEqual(['KEYS_UNUSED']);
    expect(messageOf(plain, 'KEYS_UNUSED')).toMatch(/3\.6\d TiB smaller, and 320,041 slots would fit/);
    expect(codes(plan(readFlags([]), { protectionKeys: 15 }))).toStrictEqual([]);
  });

  it.each([
    [{ maxMemorySize: MIB, maxMemoryProtectionKeys: 1 }, 'maxMemoryProtectionKeys'],
    [{ maxMemorySize: MIB, memoryGuardSize: 0 }, 'memoryGuardSize'],
  ])('%j gains nothing from keys because of %s', (settings, setting) => {
    const answer = plan(settings, { protectionKeys: 15 });
    expect(answer.advice.find(({ code }) => code === 'KEYS_GAIN_NOTHING')).toMatchObject({ setting });
    expect(answer.densityGain).toBe(1);
  });

  it('a million slots against the default map count', () => {
    const settings = { totalMemories: 1_000_000, maxMemorySize: 16 * MIB, memoryReservation: 16 * MIB };
    const answer = plan(settings);
    expect(answer).toMatchObject({
      fits: false,
      slabFits: true,
      boundBy: 'mappings',
      mappingsPerMemory: 4,
    });
    expect(answer.liveMemories).toBe(Math.floor((65_530 - 2560) / 4));
    expect(answer.advice).toMatchObject([{ code: 'FEW_MAPPINGS', setting: 'vm.max_map_count' }]);
    expect(messageOf(answer, 'FEW_MAPPINGS')).toContain('sysctl -w vm.max_map_count=4002560');
    const raised = plan(settings, { maxMapCount: answer.mapCountForAll });
    expect(raised).toMatchObject({ fits: true, liveMemories: 1_000_000, boundBy: 'totalMemories' });
    expect(raised.advice).toStrictEqual([]);
    expect(plan(settings, { maxMapCount: undefined }).liveByMappings).toBe(Infinity);
    expect(plan(settings, {}, { hasImage: false }).liveMemories).toBe(Math.floor((65_530 - 2560) / 2));
    expect(plan(settings, { maxMapCount: 100 }).liveMemories).toBe(0);
  });
});

describe('what else it answers', () => {
  it('fits only if it can be made and all can be live', () => {
    expect(plan({}, { memoryBytes: '3MiB' })).toMatchObject({
      fits: false,
      slabFits: true,
      liveMemories: 768,
    });
    expect(plan({ memoryProtectionKeys: 'enable' })).toMatchObject({ fits: false, slabFits: true });
    expect(plan({}, { addressBits: 39 })).toMatchObject({ fits: false, slabFits: false });
    expect(plan()).toMatchObject({ fits: true, slabFits: true });
  });

  it('reads sizes as text, of host and usage too', () => {
    const text = {
      pageSize: '16KiB',
      largestReservationBytes: '5 TiB',
      addressSpaceLimitBytes: '6TiB',
      memoryBytes: '8g',
    };
    const numbers = {
      pageSize: 16_384,
      largestReservationBytes: 5 * TIB,
      addressSpaceLimitBytes: 6 * TIB,
      memoryBytes: 8 * GIB,
    };
    expect(plan({}, text, { residentBytesPerMemory: '1MiB' })).toStrictEqual(
      plan({}, numbers, { residentBytesPerMemory: MIB }),
    );
  });

  it("insisting on keys that are not there is an error, 'auto' is not", () => {
    expect(plan({ memoryProtectionKeys: 'enable' }).advice).toMatchObject([
      { code: 'NO_KEYS', severity: 'error' },
    ]);
    expect(plan({ memoryProtectionKeys: 'auto' }).advice).toStrictEqual([]);
  });

  it('no guard is worth a warning', () => {
    expect(plan({ memoryGuardSize: 0 }).advice).toMatchObject([{ code: 'NO_GUARD', severity: 'warning' }]);
  });

  it('RLIMIT_AS bounds the slab, less what Node itself takes', () => {
    const answer = plan({}, { addressSpaceLimitBytes: 10 * GIB });
    expect(answer.slabLimitBytes).toBe(8.5 * GIB);
    expect(answer.liveMemories).toBe(2);
    expect(answer.advice).toMatchObject([{ code: 'SLAB_DOES_NOT_FIT', setting: 'RLIMIT_AS' }]);
    expect(messageOf(answer, 'SLAB_DOES_NOT_FIT')).toContain('ulimit -v');
    expect(plan({}, { addressSpaceLimitBytes: MIB }).layout.numSlots).toBe(0);
  });

  it('RAM bounds the live memories, in whole pages', () => {
    const answer = plan({}, { memoryBytes: GIB }, { residentBytesPerMemory: 2 * MIB - 1 });
    expect(answer).toMatchObject({ liveByMemory: 512, liveMemories: 512, boundBy: 'memory' });
    expect(codes(answer)).toStrictEqual(['LITTLE_MEMORY']);
    expect(plan({}, { memoryBytes: 0 }, { residentBytesPerMemory: 0 }).liveByMemory).toBe(Infinity);
  });

  it('freed slots keep bytes resident, in whole pages, in every slot that was used, and all together within a bound', () => {
    const settings = { linearMemoryKeepResident: MIB - 1, maxUnusedBytesResident: 2 * GIB };
    const answer = plan(settings, { memoryBytes: 2 * GIB });
    expect(answer.keptResidentBytes).toBe(1000 * MIB);
    expect(answer.advice).toMatchObject([
      { code: 'KEEPS_MUCH_RESIDENT', setting: 'linearMemoryKeepResident' },
    ]);
    expect(codes(plan(settings))).toStrictEqual([]);
    const few = plan({ ...settings, totalMemories: 100 }, { memoryBytes: 2 * GIB });
    expect(few).toMatchObject({ keptResidentBytes: 100 * MIB, advice: [] });

    const bounded = plan({}, { memoryBytes: 256 * MIB });
    expect(bounded.keptResidentBytes).toBe(128 * MIB);
    expect(bounded.advice).toMatchObject([
      { code: 'KEEPS_MUCH_RESIDENT', setting: 'maxUnusedBytesResident' },
    ]);
    expect(messageOf(bounded, 'KEEPS_MUCH_RESIDENT')).toBe(
      'After a peak, free slots may keep 128 MiB of the 256 MiB of RAM: as much as maxUnusedBytesResident lets all of ' +
        'them together. Lower it.',
    );
    expect(codes(plan({}, { memoryBytes: 512 * MIB }))).toStrictEqual([]);
    const flags = ['pooling-memory-keep-resident=1MiB'];
    expect(messageOf(plan(readFlags(flags), { memoryBytes: GIB }), 'KEEPS_MUCH_RESIDENT')).toBe(
      'After a peak, free slots may keep 1000 MiB of the 1 GiB of RAM: -O pooling-memory-keep-resident, 1 MiB, in each ' +
        'slot that was used. Lower it; -O pooling-max-unused-warm-slots does not bound it.',
    );
  });

  it('what each setting costs, told by leaving it out', () => {
    const answer = plan({ maxMemorySize: GIB, totalMemories: 100 }, { protectionKeys: 15 });
    const costs = Object.fromEntries(answer.costs.map((cost) => [cost.setting, cost]));
    expect(Object.keys(costs)).toStrictEqual([
      'memoryReservation',
      'memoryGuardSize',
      'guardBeforeLinearMemory',
      'memoryProtectionKeys',
    ]);
    expect(costs['guardBeforeLinearMemory']?.savedBytes).toBe(32 * MIB);
    // Without a guard there are no stripes, so the guard saves more than it costs.
    expect(costs['memoryGuardSize']?.savedBytes).toBeLessThan(0);
    expect(costs['memoryProtectionKeys']).toMatchObject({ value: 'auto', instead: 'disable' });
    expect(costs['memoryProtectionKeys']?.savedBytes).toBeLessThan(-250 * GIB);
    expect(plan({ memoryGuardSize: 0, guardBeforeLinearMemory: false }).costs).toStrictEqual([]);
  });

  it.each([
    ['nothing at all', { totalMemories: 0 }, true, 16_002],
    [
      'slots without bytes',
      { maxMemorySize: 0, memoryReservation: 0, memoryGuardSize: 0 },
      true,
      2 ** 32 - 1,
    ],
    ['a guard larger than the host', { memoryGuardSize: 2 ** 50 }, false, 0],
    ['the largest settings', { totalMemories: 2 ** 32 - 1, memoryGuardSize: 2 ** 52 }, false, 0],
  ])('%s', (_, settings, fits, slots) => {
    const answer = plan(settings);
    expect(answer).toMatchObject({ fits, slotsByAddressSpace: slots });
    expect(answer.densityGain).toBe(1);
  });

  it.each([
    [{ maxMemorySize: 5 * GIB }, {}, {}, 'ERR_OUT_OF_RANGE', 'maxMemorySize'],
    [{ memoryGuardSize: Number.MAX_SAFE_INTEGER }, {}, {}, 'ERR_SLAB_TOO_LARGE', 'memoryGuardSize'],
    [{}, { pageSize: 1000 }, {}, 'ERR_OUT_OF_RANGE', 'host.pageSize'],
    [{}, { pageSize: 12_288 }, {}, 'ERR_OUT_OF_RANGE', 'power of two'],
    [{}, { addressBits: 54 }, {}, 'ERR_OUT_OF_RANGE', 'host.addressBits'],
    [{}, { addressBits: '47' }, {}, 'ERR_INVALID_ARG_TYPE', 'host.addressBits'],
    [{}, { protectionKeys: 17 }, {}, 'ERR_OUT_OF_RANGE', 'host.protectionKeys'],
    [{}, { maxMapCount: -1 }, {}, 'ERR_OUT_OF_RANGE', 'host.maxMapCount'],
    [{}, { addressSpaceLimitBytes: 0.5 }, {}, 'ERR_OUT_OF_RANGE', 'host.addressSpaceLimitBytes'],
    [{}, { largestReservationBytes: Number.NaN }, {}, 'ERR_OUT_OF_RANGE', 'host.largestReservationBytes'],
    [{}, { memoryBytes: '1GB' }, {}, 'ERR_INVALID_ARG_VALUE', 'host.memoryBytes'],
    [{}, { memoryBytes: null }, {}, 'ERR_INVALID_ARG_TYPE', 'host.memoryBytes'],
    [{}, { pageSize: '4 pages' }, {}, 'ERR_INVALID_ARG_VALUE', 'host.pageSize'],
    [{}, {}, { residentBytesPerMemory: 'one page' }, 'ERR_INVALID_ARG_VALUE', 'usage.residentBytesPerMemory'],
    [{}, null, {}, 'ERR_INVALID_ARG_TYPE', 'host'],
    [{}, {}, { residentBytesPerMemory: -1 }, 'ERR_OUT_OF_RANGE', 'usage.residentBytesPerMemory'],
    [{}, {}, { hasImage: 'y' }, 'ERR_INVALID_ARG_TYPE', 'usage.hasImage'],
    [{}, {}, null, 'ERR_INVALID_ARG_TYPE', 'usage'],
  ])('refuses %j, %j, %j with %s, naming %s', (settings, host, usage, code, text) => {
    expect(() => plan(settings, host as PlanHost, usage as object)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) as string }),
    );
  });
});

describe('properties', () => {
  const pages = (most: number) => fc.nat(most).map((count) => count * 4096);
  const anySettings = fc
    .record({
      totalMemories: fc.oneof(fc.nat(40), fc.nat(2 ** 32 - 1)),
      maxMemorySize: fc.oneof(pages(3), fc.nat(2 ** 33)),
      spareBytes: fc.oneof(pages(20), fc.nat(2 ** 33)),
      memoryGuardSize: fc.oneof(fc.constant(0), pages(20), fc.nat(2 ** 33)),
      guardBeforeLinearMemory: fc.boolean(),
      memoryProtectionKeys: fc.constantFrom('auto', 'disable'),
      maxMemoryProtectionKeys: fc.nat(16),
    })
    .map(({ spareBytes, ...rest }) =>
      Object.assign(rest, { memoryReservation: rest.maxMemorySize + spareBytes }),
    );
  const anyHost = fc.record({
    pageSize: fc.constantFrom(4096, 16_384, 65_536),
    addressBits: fc.integer({ min: 20, max: 53 }),
    protectionKeys: fc.nat(16),
    maxMapCount: fc.option(fc.nat(2 ** 24), { nil: undefined }),
    memoryBytes: fc.nat(2 ** 40),
  });

  const slabBytesOf = (
    settings: SlabLimits & SlabTunables,
    host: PlanHost,
    keys: number,
    totalMemories: number,
  ) =>
    calculate(slabConstraints({ ...settings, totalMemories }, settings, keys, Number(host.pageSize)))
      .totalSlabBytes;

  it('the largest slab is within the bound, and one slot more is not', () => {
    fc.assert(
      fc.property(anySettings, anyHost, (settings, host) => {
        const answer = plan(settings, host);
        const { layout, slabLimitBytes, slotsByAddressSpace, liveMemories } = answer;
        if (layout.numSlots > 0) expect(layout.totalSlabBytes).toBeLessThanOrEqual(slabLimitBytes);
        expect(layout.numSlots).toBeLessThanOrEqual(Math.min(settings.totalMemories, slotsByAddressSpace));
        expect(answer.slabFits).toBe(answer.wantedSlabBytes <= slabLimitBytes);
        expect(answer.fits).toBe(answer.slabFits && liveMemories === settings.totalMemories);
        if (answer.slabFits) expect(layout.numSlots).toBe(settings.totalMemories);
        else expect(answer.advice[0]?.code).toBe('SLAB_DOES_NOT_FIT');
        expect(liveMemories).toBe(
          Math.min(settings.totalMemories, layout.numSlots, answer.liveByMappings, answer.liveByMemory),
        );
        if (slotsByAddressSpace < 2 ** 32 - 1) {
          const keys =
            settings.memoryProtectionKeys === 'disable'
              ? 0
              : Math.min(host.protectionKeys, settings.maxMemoryProtectionKeys, 15);
          expect(slabBytesOf(settings, host, keys, slotsByAddressSpace + 1)).toBeGreaterThan(slabLimitBytes);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('a better host never holds fewer memories', () => {
    fc.assert(
      fc.property(anySettings, anyHost, (settings, host) => {
        const { liveMemories, slotsByAddressSpace } = plan(settings, host);
        const better: PlanHost[] = [
          { ...host, maxMapCount: undefined },
          { ...host, memoryBytes: host.memoryBytes * 2 },
        ];
        for (const other of better) {
          expect(plan(settings, other).liveMemories).toBeGreaterThanOrEqual(liveMemories);
        }
        if (host.addressBits === 53) return;
        const wider = plan(settings, { ...host, addressBits: host.addressBits + 1 });
        expect(wider.slotsByAddressSpace).toBeGreaterThanOrEqual(slotsByAddressSpace);
        expect(wider.layout.numSlots).toBeGreaterThanOrEqual(plan(settings, host).layout.numSlots);
      }),
      { numRuns: 500 },
    );
  });

  it('counts exactly where rounding to pages makes the slab of five slots smaller than that of four', () => {
    const settings = {
      maxMemorySize: 4096,
      memoryReservation: 9 * 4096,
      memoryGuardSize: 4096,
      guardBeforeLinearMemory: false,
    };
    const host = { protectionKeys: 15, largestReservationBytes: 18 * 4096 };
    expect(plan({ ...settings, totalMemories: 4 }, host)).toMatchObject({
      fits: false,
      slotsByAddressSpace: 5,
    });
    expect(plan({ ...settings, totalMemories: 4 }, host).layout.numSlots).toBe(3);
    expect(plan({ ...settings, totalMemories: 5 }, host).fits).toBe(true);
  });

  it('the advice of a plan can be shown: one line each, errors first, settings that exist', () => {
    const order = ['error', 'warning', 'note'];
    fc.assert(
      fc.property(anySettings, anyHost, (settings, host) => {
        const { advice, settings: known } = plan(settings, host);
        const ranks = advice.map(({ severity }) => order.indexOf(severity));
        expect(ranks).toStrictEqual([...ranks].sort((a, b) => a - b));
        for (const { message, setting } of advice) {
          expect(message).toMatch(/^[A-Z\d][^\n]+\.$/);
          expect(message).not.toMatch(/NaN|undefined|Infinity/);
          expect([...Object.keys(known), 'vm.max_map_count', 'RLIMIT_AS']).toContain(setting);
        }
      }),
    );
  });
});
