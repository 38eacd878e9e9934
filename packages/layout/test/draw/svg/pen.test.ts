import { describe, expect, it } from 'vitest';
import { escapeXml, SvgPen, textWidth } from '../../../src/draw/svg/pen.js';
import { readPicture } from '../../support/picture.js';

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

  describe('draws a dimension, ticks at both its ends,', () => {
    const text = 'ten';
    const gap = textWidth(text) + 12;

    function dimension(fromX: number, toX: number) {
      const pen = new SvgPen('p');
      pen.dimension(fromX, toX, 50, text);
      const { paths, texts } = readPicture(String(pen), 'p');
      const [line] = paths;
      const strokes = line!.points.filter(([, y]) => y === 50).map(([x]) => x);
      const ticks = line!.points.slice(0, 4);
      expect([line!.classes, texts[0]!.classes]).toEqual([['line'], ['text', 'ink']]);
      expect(ticks).toEqual([
        [fromX, 45],
        [fromX, 55],
        [toX, 45],
        [toX, 55],
      ]);
      expect(texts[0]!.y).toBe(54.5);
      return { strokes, label: texts[0]! };
    }

    it('with its text in the middle, on no line, if there is room', () => {
      const { strokes, label } = dimension(100, 200);
      expect(strokes).toEqual([100, 150 - gap / 2, 150 + gap / 2, 200].map((x) => Math.round(x * 10) / 10));
      expect(label).toMatchObject({ x: 150, anchor: 'middle' });
      expect(label.left).toBeGreaterThan(strokes[1]!);
      expect(label.right).toBeLessThan(strokes[2]!);
    });

    it('with its text behind it if there is none', () => {
      const end = 100 + Math.floor(gap + 16);
      expect(dimension(100, end)).toMatchObject({
        strokes: [100, end],
        label: { x: end + 8, anchor: 'start' },
      });
      expect(dimension(100, end + 1).label.anchor).toBe('middle');
    });
  });

  it.each([Number.NaN, Infinity, -Infinity])('draws nothing at %d: that would be missing in silence', (x) => {
    const pen = new SvgPen('p');
    const broken = expect.objectContaining({
      code: 'ERR_LAYOUT_BROKEN',
      message: expect.stringContaining(`a coordinate of a picture is ${x}`),
    });
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
