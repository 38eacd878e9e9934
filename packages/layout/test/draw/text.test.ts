import { describe, expect, it } from 'vitest';
import { calculate, draw, slabConstraints, type SlabLimits, type SlabTunables } from '../../src/index.js';

const MANY = { totalMemories: 5 };

function linesOf(limits: SlabLimits, tunables: SlabTunables = {}, width = 80): string[] {
  return draw(calculate(slabConstraints(limits, tunables)), { format: 'text', width })
    .trimEnd()
    .split('\n');
}

/** The bar of slot 0. */
function barOf(limits: SlabLimits, tunables: SlabTunables = {}): string {
  const line = linesOf({ ...MANY, ...limits }, tunables).find((each) => each.endsWith(' slot 0'));
  return / {2}([#.]+) +slot 0$/.exec(line ?? '')?.[1] ?? '';
}

describe('a bar', () => {
  it('shows at least a character of memory and of the rest, however small they are', () => {
    expect(barOf({ maxMemorySize: 65_536 })).toMatch(/^#\.{20,}$/);
    expect(barOf({})).toMatch(/^#{20,}\.$/);
  });

  it('shows nothing of what a slot has not', () => {
    expect(barOf({ maxMemorySize: 0 })).toMatch(/^\.{20,}$/);
    expect(barOf({}, { memoryGuardSize: 0 })).toMatch(/^#{20,}$/);
  });

  it('is in proportion between the two', () => {
    const bar = barOf({ maxMemorySize: '1GiB' }, { memoryGuardSize: 0 });
    expect(bar.indexOf('.') / bar.length).toBeCloseTo(1 / 4, 1);
  });

  it('of slots that are left out is a colon, and does not make the others small', () => {
    const lines = linesOf({ totalMemories: 1_000_000 });
    expect(lines.find((line) => line.includes('more slots'))).toMatch(/ {2}: +999,996 more slots$/);
    expect(lines.find((line) => line.endsWith(' slot 0'))).toMatch(/ {2}#{20,}\. +slot 0$/);
    expect(linesOf(MANY).some((line) => line.endsWith(' 1 more slot'))).toBe(true);
  });
});

it('says in its heading that nothing is striped', () => {
  expect(linesOf(MANY)[0]).toBe('Slab of 5 slots, not striped: 20.19 GiB of address space');
});

it('breaks lines that are too long at a blank, and goes on with two', () => {
  const wide = linesOf(MANY, {}, 1000);
  const narrow = linesOf(MANY, {}, 40);
  for (const line of narrow) expect(line.length).toBeLessThanOrEqual(40);
  expect(narrow.filter((line) => line.startsWith('  ') && /[a-z]/.test(line)).length).toBeGreaterThan(2);
  // All words are there, none is cut, and nothing else is.
  const words = (lines: string[]) =>
    lines.flatMap((line) => line.split(/\s+/)).filter((word) => /^[a-z,]+$/i.test(word));
  expect(words(narrow)).toEqual(words(wide));
});
