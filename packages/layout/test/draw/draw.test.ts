import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeXml } from '../../src/draw/svg/pen.js';
import { calculate, draw, type DrawOptions, type SlabLayout } from '../../src/index.js';
import { ALL, EMPTY, NO_BYTES, NOTHING, PLAIN, STRIPED, THREE } from '../support/layouts.js';
import { readXml, type XmlElement } from '../support/xml.js';

/** Layouts of every sort, for what must hold of any picture. */
const anyLayout: fc.Arbitrary<SlabLayout> = fc
  .record({
    expectedPages: fc.nat(2 ** 20),
    memoryPages: fc.oneof(fc.nat(3), fc.nat(2 ** 20)),
    numSlots: fc.oneof(fc.nat(30), fc.nat(2 ** 20)),
    numPkeysAvailable: fc.nat(40),
    guardPages: fc.oneof(fc.constant(0), fc.nat(2 ** 20)),
    guardBeforeSlots: fc.boolean(),
    pageSize: fc.constantFrom(4096, 16_384, 65_536),
  })
  .filter(({ expectedPages, memoryPages, guardPages, numSlots, pageSize }) => {
    return (expectedPages + memoryPages + guardPages) * (numSlots + 2) * pageSize < Number.MAX_SAFE_INTEGER;
  })
  .map(({ expectedPages, memoryPages, guardPages, pageSize, ...rest }) =>
    calculate({
      ...rest,
      pageSize,
      expectedSlotBytes: expectedPages * pageSize,
      maxMemoryBytes: memoryPages * pageSize,
      guardBytes: guardPages * pageSize,
    }),
  );

/** Of all of Unicode, halves of pairs too, and often of ASCII. */
const anyCharacter = fc.oneof(fc.nat(0x7f), fc.nat(0x10_ffff)).map((code) => String.fromCodePoint(code));

/** What is written in a picture. */
function texts(elements: XmlElement[]): string[] {
  return elements.filter((element) => element.name === 'text').map((element) => element.text);
}

describe("draw(): format 'text'", () => {
  it('draws a striped slab with every slot, size and offset', () => {
    expect(draw(THREE, { format: 'text' })).toBe(
      [
        'Slab of 3 slots in 3 stripes: 12 GiB of address space',
        '',
        'offset        size',
        '        0x0  2 GiB  //////////////////////                       guard before',
        ' 0x80000000  2 GiB  ###########...........                       slot 0 stripe 0',
        '0x100000000  2 GiB  ###########...........                       slot 1 stripe 1',
        '0x180000000  2 GiB  ###########...........                       slot 2 stripe 2',
        '0x200000000  4 GiB  ///////////////////////////////////////////  guard after',
        '0x300000000         end of the slab',
        '',
        'each slot            2 GiB, of it memory at most 1 GiB',
        'next of its stripe   6 GiB further on',
        'guards               2 GiB before, 4 GiB after',
        'page                 4 KiB',
        '',
        '# memory   . rest of the slot, no access   / guard, no access',
        '',
      ].join('\n'),
    );
  });

  it('leaves out the middle of many slots and counts it', () => {
    const text = draw(STRIPED, { format: 'text' });
    for (let slot = 0; slot <= 15; slot += 1) {
      expect(text).toMatch(new RegExp(`  slot ${slot} stripe ${slot % 15}\n`));
    }
    expect(text).toContain('983 more slots\n');
    expect(text).toMatch(/ {2}slot 999 stripe 9\n/);
    expect(text).not.toContain('slot 16 ');
    expect(draw(PLAIN, { format: 'text' })).toContain('996 more slots\n');
  });

  it('draws slabs without slots and without bytes', () => {
    expect(draw(EMPTY, { format: 'text' })).toMatch(/^Slab without slots: 32 MiB of address space\n/);
    expect(draw(NOTHING, { format: 'text' })).toMatch(/^Slab without slots: 0 B of address space\n/);
    expect(draw(NO_BYTES, { format: 'text' })).toContain('slot 2\n');
  });

  it('keeps within the width, in plain ASCII, without trailing blanks', () => {
    fc.assert(
      fc.property(anyLayout, fc.integer({ min: 40, max: 200 }), (layout, width) => {
        const text = draw(layout, { format: 'text', width });
        expect(text.split('\n').filter((line) => line.length > width)).toEqual([]);
        expect(text).toMatch(/^[\n -~]+\n$/);
        expect(text).not.toMatch(/ $/m);
      }),
    );
  });
});

/** Well-formed, without anything from outside, and all of it within the picture. */
function expectSoundSvg(layout: SlabLayout): void {
  const svg = draw(layout, { format: 'svg' });
  const elements = readXml(svg);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
  expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|<script|@import/);
  const prefixed = elements
    .flatMap((element) => (element.attributes['class'] ?? '').split(' '))
    .filter(Boolean);
  for (const name of prefixed) {
    expect(name).toMatch(/^slab-/);
    expect(svg).toContain(`.${name}{`);
  }
  for (const element of elements) {
    if (element.name !== 'rect' || element.attributes['x'] === undefined) continue;
    const [x = NaN, width = NaN] = ['x', 'width'].map((name) => Number(element.attributes[name]));
    expect(width).toBeGreaterThanOrEqual(0);
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(1200);
  }
}

describe("draw(): format 'svg'", () => {
  it('writes every figure and label of a striped slab', () => {
    const labels = texts(readXml(draw(STRIPED, { format: 'svg' })));
    const expected = [
      'Slab of 1,000 slots in 15 stripes',
      '272.55 GiB of address space, pages of 4 KiB. Widths are not to scale.',
      'whole slab 272.55 GiB',
      'slot 0',
      ...Array.from({ length: 15 }, (_, index) => String(index + 1)),
      '999',
      '983 more',
      'guard',
      '32 MiB',
      '3.76 GiB',
      'memory',
      'at most 256 MiB',
      'rest of the slot',
      '19.2 MiB, no access',
      '14 slots of other stripes',
      '3.76 GiB, keys closed',
      'slot 275.2 MiB',
      'to the next slot of its stripe 4.03 GiB',
      '66 or 67 in each stripe',
      'one protection key each',
      '0x11334000 bytes',
      '0x4422fec000 bytes',
      '0x10200c000 bytes',
      '0x2000000 bytes',
      '0xf0ccc000 bytes',
      'memory, in the colour of its stripe',
      'slot of another stripe: its key is closed',
      'guard, or rest of a slot: no access',
    ];
    for (const label of expected) expect(labels).toContain(label);
  });

  it('gives each of fifteen stripes a colour of its own', () => {
    const elements = readXml(draw(STRIPED, { format: 'svg' }));
    const fills = elements
      .map((element) => element.attributes['fill'])
      .filter((fill) => fill?.startsWith('#'));
    expect(new Set(fills).size).toBe(15);
  });

  it('has a title and a description that the root points to', () => {
    const elements = readXml(draw(THREE, { format: 'svg', idPrefix: 'a-1' }));
    const root = elements[0];
    expect(root?.name).toBe('svg');
    expect(root?.attributes).toMatchObject({
      xmlns: 'http://www.w3.org/2000/svg',
      role: 'img',
      'aria-labelledby': 'a-1-title a-1-desc',
    });
    const byId = new Map(elements.map((element) => [element.attributes['id'], element]));
    expect(byId.get('a-1-title')).toMatchObject({ name: 'title', text: 'Slab of 3 slots in 3 stripes' });
    expect(byId.get('a-1-desc')?.text).toBe(
      'Slab of 3 slots in 3 stripes: 12 GiB of address space. A guard of 2 GiB before the slots and of 4 GiB after ' +
        'them. Each slot has 2 GiB and holds a memory of at most 1 GiB. From a slot to the next of its stripe it is 6 GiB.',
    );
  });

  it('draws slabs without slots and without bytes', () => {
    expect(texts(readXml(draw(EMPTY, { format: 'svg' })))).toContain('Slab without slots');
    expect(texts(readXml(draw(NOTHING, { format: 'svg' })))).toContain('no bytes at all');
    expect(texts(readXml(draw(NO_BYTES, { format: 'svg' })))).toContain('slot 2');
  });

  it('is well-formed, complete in itself and without rounding accidents for any layout', () => {
    for (const layout of Object.values(ALL)) expectSoundSvg(layout);
    fc.assert(fc.property(anyLayout, expectSoundSvg), { numRuns: 100 });
  });

  it('escapes any title', () => {
    const awkward = '<b> & "quotes" \u0000\u001f\uD800 ]]> \'x\'';
    const title = readXml(draw(THREE, { format: 'svg', title: awkward })).find((e) => e.name === 'title');
    expect(title?.text).toBe('<b> & "quotes" \uFFFD ]]> \'x\'');
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        readXml(`<title>${escapeXml(text)}</title>`);
      }),
    );
  });

  it('has both colour schemes, or the one asked for', () => {
    const auto = draw(THREE, { format: 'svg' });
    const light = draw(THREE, { format: 'svg', theme: 'light' });
    const dark = draw(THREE, { format: 'svg', theme: 'dark' });
    expect(auto).toContain('@media (prefers-color-scheme:dark)');
    expect(auto).toContain('#ffffff');
    expect(light).not.toContain('@media');
    expect(light).toContain('.slab-paper{fill:#ffffff}');
    expect(dark).toContain('.slab-paper{fill:#12171e}');
    expect(dark).not.toContain('#ffffff');
  });

  it('scales to the width asked for', () => {
    const root = readXml(draw(THREE, { format: 'svg', width: 600 }))[0];
    const [, , width, height] = (root?.attributes['viewBox'] ?? '').split(' ').map(Number);
    expect(width).toBe(1200);
    expect(root?.attributes).toMatchObject({ width: '600', height: String(Math.round((height ?? 0) / 2)) });
  });
});

describe('draw(): bad input', () => {
  const bad: [DrawOptions | Record<string, unknown> | null, ErrorConstructor, RegExp][] = [
    [null, TypeError, /"options"/],
    [{}, TypeError, /'options.format'.*'text', 'svg'\. Received undefined/],
    [{ format: 'png' }, TypeError, /'options.format'.*Received 'png'/],
    [{ format: 'text', width: 39 }, RangeError, /"options.width".*Received 39/],
    [{ format: 'text', width: '80' }, TypeError, /"options.width"/],
    [{ format: 'text', width: 1001 }, RangeError, /"options.width"/],
    [{ format: 'svg', width: 199 }, RangeError, /"options.width"/],
    [{ format: 'svg', width: Number.NaN }, RangeError, /"options.width"/],
    [{ format: 'svg', title: 3 }, TypeError, /"options.title"/],
    [{ format: 'svg', theme: 'pink' }, TypeError, /'options.theme'.*Received 'pink'/],
    [{ format: 'svg', idPrefix: '1"><script>' }, TypeError, /'options.idPrefix'/],
    [{ format: 'svg', idPrefix: '' }, TypeError, /'options.idPrefix'/],
  ];

  it.each(bad)('refuses %j', (options, type, message) => {
    const act = (): string => draw(THREE, options as DrawOptions);
    expect(act).toThrow(type);
    expect(act).toThrow(message);
  });

  it('refuses a layout that is not from calculate()', () => {
    expect(() => draw(structuredClone(THREE), { format: 'text' })).toThrow(/"layout"/);
  });
});

describe('draw(): options', () => {
  const svgOf = (options: object) => draw(THREE, { format: 'svg', ...options });

  it.each(['', '1a', ' a', 'a b', 'a"', 'a>', '-a', 'ä', 5, ['a']])('%j begins no id', (idPrefix) => {
    expect(() => svgOf({ idPrefix })).toThrow(
      `'options.idPrefix' must be a letter, then letters, digits, "-" or "_"`,
    );
  });

  it('says what else would have been right', () => {
    expect(() => svgOf({ title: 5 })).toThrow('"options.title" property must be of type string');
    expect(() => svgOf({ theme: 'red' })).toThrow("'options.theme' must be one of: 'auto', 'light', 'dark'");
    expect(svgOf({ title: 'my own' })).toContain('my own');
    expect(svgOf({ idPrefix: 'a-1_B' })).toContain('a-1_B-');
  });
});
