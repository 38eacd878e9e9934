import { describe, expect, it } from 'vitest';
import {
  MAPPINGS_LEFT_TO_NODE,
  mappingsForPools,
  mappingsOfGuardedSlot,
  mappingsOfSlot,
  plan,
  type GuardFacts,
  usesGuardPages,
} from '../src/index.js';
import { MAX_MAPPINGS_OF_SLOT } from '../src/process-bounds.js';

describe('mappingsOfSlot()', () => {
  it.each([
    [0, 0, 0, 0],
    [4, 0, 0, 2],
    [4, 0, 4, 2],
    [4, 0, 3, 3],
    [4, 1, 3, 3],
    [4, 1, 2, 4],
  ])(
    '%i accessible pages with an image at %i of %i: %i',
    (accessiblePages, imageFirstPage, imagePages, mappings) => {
      expect(mappingsOfSlot(accessiblePages, imageFirstPage, imagePages)).toBe(mappings);
      expect(mappings).toBeLessThanOrEqual(MAX_MAPPINGS_OF_SLOT);
    },
  );
});

const BAD_COUNTS = [-1, 0.5, Number.NaN, Infinity, 2 ** 53, '1', undefined];

describe.each<[string, (...args: never[]) => unknown, good: readonly unknown[], names: readonly string[]]>([
  ['mappingsOfSlot()', mappingsOfSlot, [5, 5, 5], ['accessiblePages', 'imageFirstPage', 'imagePages']],
  ['mappingsOfGuardedSlot()', mappingsOfGuardedSlot, [5, 5, true], ['accessiblePages', 'imagePages']],
  ['mappingsForPools()', mappingsForPools, [5, 5], ['maxMapCount', 'otherMappings']],
])('%s', (_, count, good, names) => {
  it('refuses what is no count, wherever it stands', () => {
    for (const [index, name] of names.entries()) {
      for (const bad of BAD_COUNTS) {
        // No limit at all is one, and what is left out has a default.
        if (bad === Infinity && name === 'maxMapCount') continue;
        if (bad === undefined && name === 'otherMappings') continue;
        expect(() => count(...(good.with(index, bad) as never[]))).toThrow(`"${name}"`);
      }
    }
    expect(() => count(...(good as never[]))).not.toThrow();
  });
});

describe('mappingsForPools()', () => {
  it('leaves to Node what it needs', () => {
    expect([0, MAPPINGS_LEFT_TO_NODE, 65_530, Infinity].map((count) => mappingsForPools(count))).toEqual([
      0,
      0,
      65_530 - 2048 - 512,
      Infinity,
    ]);
    expect(mappingsForPools(65_530, 0)).toBe(65_530 - 2048);
  });
});

describe('guard markers', () => {
  const facts: GuardFacts = {
    setting: 'auto',
    canGuard: true,
    numSlots: 200_000,
    slotBytes: 2 ** 20,
    maxMappings: 63_482,
  };

  it('are taken where mappings are short, and slots small', () => {
    expect(usesGuardPages(facts)).toBe(true);
    for (const other of [
      { canGuard: false },
      { numSlots: 31_741 },
      { slotBytes: 16 * 2 ** 20 + 4096 },
      { maxMappings: Infinity },
      { setting: 'disable' },
    ] as const)
      expect(usesGuardPages({ ...facts, ...other })).toBe(false);
    expect(usesGuardPages({ ...facts, setting: 'enable', canGuard: false })).toBe(true);
  });

  it('are taken up to 16 MiB a slot, from one mapping too few on', () => {
    expect(usesGuardPages({ ...facts, slotBytes: 16 * 2 ** 20 })).toBe(true);
    expect(usesGuardPages({ ...facts, numSlots: 31_742 })).toBe(true);
  });

  it.each<[unknown, string]>([
    [null, 'facts'],
    [{ ...facts, setting: 'often' }, 'facts.setting'],
    [{ ...facts, canGuard: 1 }, 'facts.canGuard'],
    [{ ...facts, numSlots: -1 }, 'facts.numSlots'],
    [{ ...facts, slotBytes: '1MiB' }, 'facts.slotBytes'],
    [{ ...facts, maxMappings: -1 }, 'facts.maxMappings'],
  ])('are not decided on by %j', (bad, name) => {
    // The quotes of a property's name are simple ones where it is its value that is refused.
    expect(() => usesGuardPages(bad as GuardFacts)).toThrow(
      new RegExp(`["']${name.replace('.', '\\.')}["']`),
    );
  });

  it('say of their slots whether they are striped', () => {
    expect(() => mappingsOfGuardedSlot(1, 0, 'y' as never)).toThrow('"isStriped"');
  });

  it('leave a slot no mapping of its own, unless it has a key or an image', () => {
    expect(mappingsOfGuardedSlot(0, 0, true)).toBe(0);
    expect(mappingsOfGuardedSlot(16, 0, false)).toBe(0);
    expect(mappingsOfGuardedSlot(16, 4, false)).toBe(2);
    expect(mappingsOfGuardedSlot(16, 0, true)).toBe(1);
  });

  it('are planned with where the host has them', () => {
    const settings = {
      totalMemories: 200_000,
      maxMemorySize: '1MiB',
      memoryReservation: '1MiB',
      memoryGuardSize: '64KiB',
    };
    const usage = { hasImage: false };
    expect(plan(settings, {}, usage)).toMatchObject({ boundBy: 'mappings', mappingsPerMemory: 2 });
    expect(plan(settings, { guardPages: true }, usage)).toMatchObject({
      liveMemories: 200_000,
      mappingsPerMemory: 0,
      liveByMappings: Infinity,
    });
    expect(plan({ ...settings, guardPages: 'disable' }, { guardPages: true }, usage).boundBy).toBe(
      'mappings',
    );
    expect(() => plan(settings, { guardPages: 1 as never })).toThrow(TypeError);
  });
});
