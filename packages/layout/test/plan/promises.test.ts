import { describe, expect, it } from 'vitest';
import { plan } from '../../src/index.js';
import type { BarePlan } from '../../src/plan/answer.js';
import { assertPlan } from '../../src/plan/promises.js';
import { MIB } from '../support/figures.js';

const good = plan({ totalMemories: 100, maxMemorySize: 256 * MIB }, { protectionKeys: 15 });
const small = plan({ totalMemories: 100 }, { addressBits: 37 });

describe('the promises of a plan', () => {
  it('are kept by those that are made, to the byte', () => {
    expect(() => assertPlan(good)).not.toThrow();
    expect(() => assertPlan({ ...good, slabLimitBytes: good.layout.totalSlabBytes })).not.toThrow();
    expect(small.layout.numSlots).toBeGreaterThan(0);
    expect(() => assertPlan(small)).not.toThrow();
    // No slot fits, but its guards are there.
    const none = plan({ memoryGuardSize: 2 ** 50 });
    expect(none.layout.totalSlabBytes).toBeGreaterThan(none.slabLimitBytes);
    expect(none).toMatchObject({ fits: false, slabFits: false, liveMemories: 0 });
  });

  it.each<[string, BarePlan, Partial<BarePlan>]>([
    ['its slab fits the host', good, { slabLimitBytes: good.layout.totalSlabBytes - 1 }],
    ['no more slots than were asked for', good, { settings: { ...good.settings, totalMemories: 99 } }],
    ['no more slots than were asked for', good, { slotsByAddressSpace: 99 }],
    ['all slots if the slab fits', good, { slabFits: false }],
    ['all slots if the slab fits', small, { slabFits: true }],
    ['live memories can be counted', good, { liveMemories: 99.5 }],
    ['live memories can be counted', good, { liveMemories: -1 }],
    ['within every bound', good, { liveMemories: 101 }],
    ['within every bound', good, { liveByMappings: 99 }],
    ['within every bound', good, { liveByMemory: 99 }],
    ['mappings can be counted', good, { mapCountForAll: 2 ** 53 }],
    ['slots have a density', good, { densityGain: Number.NaN }],
    ['slots have a density', good, { densityGain: 0 }],
    ['no more than the settings let', good, { keptResidentBytes: good.settings.maxUnusedBytesResident + 1 }],
    ['no more than the settings let', good, { keptResidentBytes: -1 }],
  ])('%s: a plan that breaks it is not given', (promise, plan, parts) => {
    expect(() => assertPlan({ ...plan, ...parts })).toThrow(
      expect.objectContaining({
        code: 'ERR_LAYOUT_BROKEN',
        message: expect.stringContaining(promise) as string,
      }),
    );
  });
});
