import { describe, expect, it } from 'vitest';
import { stripeFill, styleSheet } from '../../../src/draw/svg/style.js';

/** The rules of a style sheet by their selectors, those of the dark scheme under its condition apart. */
function rulesOf(sheet: string): Map<string, Record<string, string>>[] {
  const parts = sheet.split('@media (prefers-color-scheme:dark){');
  return parts.map((part) => {
    const rules = new Map<string, Record<string, string>>();
    for (const [, selector, body] of part.matchAll(/([^\s{}]+)\{([^{}]*)\}/g)) {
      const pairs = body!.split(';').map((line) => line.split(':') as [string, string]);
      rules.set(selector!, { ...rules.get(selector!), ...Object.fromEntries(pairs) });
    }
    return rules;
  });
}

/** Relative luminance by WCAG 2. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

function fills(): string[] {
  return Array.from({ length: 16 }, (_, stripe) => stripeFill(stripe));
}

describe('the stripes’ colours', () => {
  it('are sixteen, and come round again', () => {
    const [first, second] = fills();
    expect(new Set(fills()).size).toBe(16);
    expect([16, 17, 32].map(stripeFill)).toEqual([first, second, first]);
  });
});

describe.each(['light', 'dark'] as const)('the %s scheme', (theme) => {
  const of = (name: string, property: string): string =>
    rulesOf(styleSheet('p', theme))[0]!.get(`.p-${name}`)?.[property] ?? '';

  it('is the only one, a rule a line', () => {
    const sheet = styleSheet('p', theme);
    expect(rulesOf(sheet)).toHaveLength(1);
    for (const line of sheet.split('\n')) expect(line).toMatch(/^\.p-[a-z-]+\{[^{}]+\}$/);
  });

  it('has text that reads: 4.5 to 1 on paper, on cards, on what is closed, and on every stripe', () => {
    for (const ground of ['paper', 'card', 'closed'].map((name) => of(name, 'fill'))) {
      for (const text of ['ink', 'muted']) {
        expect(contrast(of(text, 'fill'), ground)).toBeGreaterThan(4.5);
      }
    }
    for (const fill of fills()) expect(contrast(of('on-fill', 'fill'), fill)).toBeGreaterThan(4.5);
    expect(contrast(of('on-hatch', 'fill'), of('on-hatch', 'stroke'))).toBeGreaterThan(4.5);
  });

  it('draws lines, not areas, and hatching', () => {
    for (const name of ['line', 'empty']) {
      expect(of(name, 'fill')).toBe('none');
      expect(contrast(of(name, 'stroke'), of('paper', 'fill'))).toBeGreaterThan(2.5);
    }
    expect(of('empty', 'stroke-dasharray')).not.toBe('');
    expect(of('hatch', 'stroke')).toMatch(/^#/);
    expect(of('hatch', 'stroke-width')).toBe('2');
    expect(Number(of('veil', 'fill-opacity'))).toBeLessThan(0.5);
  });

  it('has text of the sizes that its width is guessed by', () => {
    expect(['text', 'head', 'value', 'small'].map((name) => of(name, 'font-size'))).toEqual([
      '13px',
      '22px',
      '18px',
      '12px',
    ]);
    expect(of('text', 'font-family')).toMatch(/sans-serif$/);
    // A light edge around what stands on hatching, under the letters.
    expect(of('on-hatch', 'paint-order')).toBe('stroke');
  });
});

it('what follows the reader has the light scheme, and the dark one where that is asked for', () => {
  const [light, dark] = rulesOf(styleSheet('p', 'auto'));
  const lines = styleSheet('p', 'auto').split('\n');
  for (const line of lines) expect(line).toMatch(/^(\.p-[a-z-]+\{[^{}]+\}|@media \(.*\)\{|\})$/);
  expect(light).toEqual(rulesOf(styleSheet('p', 'light'))[0]);
  for (const [selector, rule] of dark!) {
    expect(rulesOf(styleSheet('p', 'dark'))[0]!.get(selector)).toMatchObject(rule);
  }
  expect(dark!.get('.p-paper')).not.toEqual(light!.get('.p-paper'));
  expect(styleSheet('p', 'auto')).toMatch(/\n\}$/);
});
