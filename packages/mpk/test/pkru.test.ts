/** The two ways to the register: our machine code, and glibc's functions. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { glibc, machineCode, rightsOf, type Pkru } from '../src/pkru.js';
import { describeWithKeys } from './support/with-keys.js';

describe('rightsOf', () => {
  it('has two bits a key', () => {
    expect([0, 1, 2, 15].map(rightsOf)).toEqual([0b11, 0b1100, 0b11_0000, 0xc000_0000]);
  });
});

const hasGlibc = process.report.getReport() as { header: { glibcVersionRuntime?: string } };

describeWithKeys('the register', () => {
  const variants: [string, () => Pkru][] = [['machine code', machineCode]];
  if (hasGlibc.header.glibcVersionRuntime !== undefined) variants.push(['glibc', glibc]);
  let start: number;
  let ways: Pkru[];
  beforeAll(() => {
    ways = variants.map(([, make]) => make());
    start = machineCode().read();
  });
  afterAll(() => {
    machineCode().swap(start, 0xffff_ffff);
  });

  it.each(variants)('(%s) starts with key 0 open', (_, make) => {
    expect(make().read() & 0b11).toBe(0);
  });

  // Key 0 is left alone: closing it ends the process. Any of the others may be anything, and nothing carries them here.
  const bits = fc.integer({ min: 0, max: 0x3fff_ffff }).map((value) => (value << 2) >>> 0);

  it.each(variants)('(%s) changes what the mask has, and returns what was there', (_, make) => {
    const register = make();
    fc.assert(
      fc.property(bits, bits, bits, (before, value, mask) => {
        register.swap(before, 0xffff_fffc);
        // A whole key's rights at a time: what the package writes.
        const whole = Array.from({ length: 15 }, (_, i) => rightsOf(i + 1))
          .filter((rights) => (mask & rights) !== 0)
          .reduce((sum, rights) => (sum | rights) >>> 0, 0);
        expect(register.swap(value, whole)).toBe(before);
        const expected = ((before & ~whole) | (value & whole)) >>> 0;
        expect(ways.map((way) => way.read())).toEqual(ways.map(() => expected));
      }),
      { numRuns: 100 },
    );
  });
});
