import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFIG_TARGETS } from '../planner/configs.js';
import {
  clampWindow,
  firstSlots,
  piecesIn,
  wholeSlab,
  windowAtLevel,
  zoom,
  zoomLevel,
} from '../planner/scale.js';
import { defaults, FIELDS, fromHash, planFor, readField, toHash } from '../planner/state.js';
import {
  calculate,
  DEFAULT_PLAN_SETTINGS,
  readFlags,
  slabConstraints,
  WASMTIME_PLAN_SETTINGS,
} from '@guardstripe/layout';

function layoutOf(totalMemories: number, keys: number) {
  return calculate(slabConstraints({ totalMemories, maxMemorySize: 2 ** 28 }, {}, keys));
}

describe('the link', () => {
  it('is empty for the defaults', () => {
    expect(toHash(defaults())).toBe('');
    expect(fromHash('')).toEqual(defaults());
  });

  it('brings back any text of any field', () => {
    const record = Object.fromEntries(FIELDS.map(({ name }) => [name, fc.string()]));
    fc.assert(
      fc.property(fc.record(record), (values) => {
        expect(fromHash(`#${toHash(values)}`)).toEqual(values);
      }),
    );
  });

  it('leaves out names that no field has', () => {
    expect(fromHash('#__proto__=1&constructor=2&totalMemories=7')).toEqual({
      ...defaults(),
      totalMemories: '7',
    });
  });
});

describe('the plan of a form', () => {
  it('has the defaults of the layout package', () => {
    const outcome = planFor(defaults());
    expect(outcome.kind === 'plan' && outcome.plan.settings).toEqual(DEFAULT_PLAN_SETTINGS);
  });

  it('never throws, whatever is typed', () => {
    const record = Object.fromEntries(
      FIELDS.map(({ name }) => [name, fc.oneof(fc.string(), fc.constant('0'), fc.nat().map(String))]),
    );
    fc.assert(
      fc.property(fc.record(record), (values) => {
        const outcome = planFor(values);
        expect(outcome.kind === 'plan' || outcome.message.length > 0).toBe(true);
      }),
    );
  });

  it('names the field that is wrong', () => {
    expect(planFor({ ...defaults(), memoryGuardSize: 'much' })).toMatchObject({
      fields: ['memoryGuardSize'],
    });
    expect(planFor({ ...defaults(), maxMemorySize: '8 GiB' })).toMatchObject({
      fields: ['maxMemorySize', 'memoryReservation'],
    });
  });

  it('reads an empty optional field as no bound', () => {
    const field = FIELDS.find(({ name }) => name === 'maxMapCount');
    expect(field && readField(field, ' ')).toBeUndefined();
    const outcome = planFor({ ...defaults(), maxMapCount: '' });
    expect(outcome.kind === 'plan' && outcome.plan.liveByMappings).toBe(Infinity);
  });
});

describe('the configurations', () => {
  const settings = {
    ...DEFAULT_PLAN_SETTINGS,
    totalMemories: 12_345,
    maxMemorySize: 3 * 2 ** 20,
    memoryGuardSize: 0,
    guardBeforeLinearMemory: false,
    memoryProtectionKeys: 'enable',
  } as const;

  it.each(CONFIG_TARGETS)('hold every setting that the target can be told: $id', ({ id, write }) => {
    const text = write(settings);
    expect(text).toMatch(/12_?345/);
    expect(text).toMatch(/3 \* 2 \*\* 20|3 << 20|3145728/);
    if (id !== 'c') expect(text).toMatch(/keys['(: =-]*(?:Enabled::Yes|y|'enable'|enable)/i);
  });

  it('for the command line are read back by the planner as the same settings', () => {
    const flags = CONFIG_TARGETS.find(({ id }) => id === 'cli')?.write(settings) ?? '';
    // What the planner does not plan: the switch itself, and the instances.
    const known = [...flags.matchAll(/-O (\S+)/g)]
      .map((match) => match[1]!)
      .filter((flag) => !/^pooling-(?:allocator|total-core-instances)=/.test(flag));
    // What Wasmtime has not is as it is there.
    const { embedding, maxUnusedBytesResident, guardPages } = WASMTIME_PLAN_SETTINGS;
    expect(readFlags(known)).toEqual({ ...settings, embedding, maxUnusedBytesResident, guardPages });
  });

  it('for Guardstripe is a program with these numbers', () => {
    const text = CONFIG_TARGETS.find(({ id }) => id === 'guardstripe')?.write(settings) ?? '';
    const literal = /create\((\{[\s\S]*\})\)/.exec(text)?.[1] ?? '';
    const written = JSON.parse(runInNewContext(`JSON.stringify(${literal})`) as string) as object;
    expect({ embedding: 'node', ...written }).toEqual(settings);
  });
});

describe('the window on the slab', () => {
  it.each([
    [0, 0],
    [3, 0],
    [1000, 15],
    [1_000_000, 15],
  ])('shows pieces without gaps at any zoom: %i slots, %i keys', (numSlots, keys) => {
    const layout = layoutOf(numSlots, keys);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (at, level) => {
          const anchor = at * layout.totalSlabBytes;
          const window = windowAtLevel(
            layout,
            clampWindow(layout, { start: anchor, end: anchor + 2 ** 30 }),
            level,
          );
          const pieces = piecesIn(layout, window, 800);
          if (layout.totalSlabBytes === 0) return;
          expect(pieces[0]?.start).toBe(window.start);
          expect(pieces.at(-1)?.end).toBe(window.end);
          for (const [index, piece] of pieces.entries()) {
            if (index > 0) expect(piece.start).toBe(pieces[index - 1]?.end);
          }
          expect(pieces.length).toBeLessThan(800);
        },
      ),
    );
  });

  it('keeps the byte under the pointer where it is', () => {
    const layout = layoutOf(1000, 15);
    const before = wholeSlab(layout);
    const anchor = layout.slotOffset(500);
    const after = zoom(layout, before, 8, anchor);
    const share = ({ start, end }: typeof before) => (anchor - start) / (end - start);
    expect(share(after)).toBeCloseTo(share(before), 6);
  });

  it('knows its level', () => {
    const layout = layoutOf(1000, 15);
    expect(zoomLevel(layout, wholeSlab(layout))).toBe(0);
    expect(zoomLevel(layout, windowAtLevel(layout, wholeSlab(layout), 1))).toBeCloseTo(1, 6);
    expect(zoomLevel(layout, windowAtLevel(layout, wholeSlab(layout), 0.5))).toBeCloseTo(0.5, 4);
  });

  it('begins with every stripe and the first one again', () => {
    const layout = layoutOf(1000, 15);
    const slots = piecesIn(layout, firstSlots(layout), 900).flatMap((piece) =>
      'slot' in piece ? [piece.slot] : [],
    );
    expect(new Set(slots).size).toBeGreaterThanOrEqual(16);
  });
});
