import { describe, expect, it } from 'vitest';
import { escapeXml, SvgPen, textWidth } from '../../../src/draw/svg/pen.js';

const BOX = { x: 10, y: 20, width: 30, height: 40 };

describe('a pen', () => {
  it('draws what it is told, to a tenth, its classes with the prefix', () => {
    const pen = new SvgPen('p');
    pen.rect({ ...BOX, x: 1.25, width: 1 / 3 }, ['card', 'ink'], '#fff', 6);
    pen.rect({ ...BOX, width: -5 }, []);
    pen.text('a', 1, 2.04, ['small']);
    pen.text('b', 1, 2, [], 'middle');
    pen.path('M0 0H1', ['line']);
    expect(String(pen).split('\n')).toEqual([
      '<rect x="1.3" y="20" width="0.3" height="40" class="p-card p-ink" fill="#fff" rx="6"/>',
      '<rect x="10" y="20" width="0" height="40"/>',
      '<text x="1" y="2" class="p-text p-small">a</text>',
      '<text x="1" y="2" text-anchor="middle" class="p-text">b</text>',
      '<path d="M0 0H1" class="p-line"/>',
    ]);
  });

  it('hatches a box over a closed ground', () => {
    const pen = new SvgPen('p');
    pen.hatched(BOX);
    expect(String(pen).split('\n')).toEqual([
      '<rect x="10" y="20" width="30" height="40" class="p-closed"/>',
      '<rect x="10" y="20" width="30" height="40" fill="url(#p-hatching)"/>',
    ]);
  });

  it('puts the lines of a label around the middle of its box', () => {
    const pen = new SvgPen('p');
    pen.label(['one'], BOX, ['muted']);
    pen.label(['one', 'two'], BOX, []);
    expect(String(pen).split('\n')).toEqual([
      '<text x="25" y="44.5" text-anchor="middle" class="p-text p-muted">one</text>',
      '<text x="25" y="35.5" text-anchor="middle" class="p-text">one</text>',
      '<text x="25" y="53.5" text-anchor="middle" class="p-text">two</text>',
    ]);
  });

  it('writes a dimension into its line if there is room, else behind it', () => {
    const text = 'ten';
    const gap = textWidth(text) + 12;
    const roomy = new SvgPen('p');
    roomy.dimension(0, gap + 17, 50, text);
    expect(String(roomy)).toContain(
      `<text x="${Math.round((gap + 17) * 5) / 10}" y="54.5" text-anchor="middle"`,
    );
    expect(String(roomy)).toContain('M0 45v10M');
    expect(String(roomy)).toContain('M0 50H8.5M');
    const tight = new SvgPen('p');
    tight.dimension(0, gap + 16, 50, text);
    expect(String(tight)).toContain(`M0 50H${Math.round((gap + 16) * 10) / 10}"`);
    expect(String(tight)).toContain(`<text x="${Math.round((gap + 24) * 10) / 10}" y="54.5" class`);
  });

  it.each([Number.NaN, Infinity, -Infinity])('draws nothing at %d: that would be missing in silence', (x) => {
    const pen = new SvgPen('p');
    const broken = expect.objectContaining({ code: 'ERR_LAYOUT_BROKEN' });
    expect(() => pen.rect({ ...BOX, x }, [])).toThrow(broken);
    expect(() => pen.text('a', 0, x, [])).toThrow(broken);
    expect(() => pen.dimension(x, 3, 0, 'a')).toThrow(broken);
    expect(String(pen)).toBe('');
  });
});

it('escapes what XML would read, and leaves out what it cannot hold', () => {
  expect(escapeXml(`a<b>&"c"'\u0001\u0008\u000b\u000c\u001f\u{d800}\ufffe\uffff\t\n`)).toBe(
    `a&lt;b&gt;&amp;&quot;c&quot;'\ufffd\t\n`,
  );
});

it('takes a character to be six tenths of the font size wide', () => {
  expect(textWidth('abc')).toBeCloseTo(23.4);
  expect(textWidth('abc', 10)).toBeCloseTo(18);
});
