import { describe, expect, it } from 'vitest';
import { colouredBytes } from '../src/coloured-bytes.js';

/** As `/proc/self/smaps` has it, most lines left out. */
function mapping(kibibytes: number, key?: number): string {
  return [
    `7f5a4c000000-7f5a4c021000 rw-p 00000000 00:00 0 `,
    `Size:           ${String(kibibytes).padStart(8)} kB`,
    'KernelPageSize:        4 kB',
    'Rss:                  12 kB',
    ...(key === undefined ? [] : [`ProtectionKey:  ${String(key).padStart(8)}`]),
    'VmFlags: rd wr mr mw me ac sd ',
    '',
  ].join('\n');
}

describe('colouredBytes', () => {
  it('sums mappings by key and leaves the default key out', () => {
    const smaps = [mapping(132, 0), mapping(4, 3), mapping(64, 15), mapping(8, 3), mapping(1, 0)];
    expect([...colouredBytes([smaps.join('')])]).toEqual([
      [3, 12 * 1024],
      [15, 64 * 1024],
    ]);
  });

  it('knows no key where the kernel prints none', () => {
    expect(colouredBytes([mapping(132) + mapping(4)]).size).toBe(0);
    expect(colouredBytes([]).size).toBe(0);
  });

  it('reads text that is cut anywhere', () => {
    const text = mapping(132, 1) + mapping(4, 12) + mapping(1024, 2) + mapping(16, 12);
    const whole = colouredBytes([text]);
    expect(whole.get(12)).toBe(20 * 1024);
    for (let cut = 0; cut <= text.length; cut++) {
      expect(colouredBytes([text.slice(0, cut), text.slice(cut)])).toEqual(whole);
    }
    expect(colouredBytes(text)).toEqual(whole);
  });

  it.runIf(process.platform === 'linux')('finds nothing coloured in this process', () => {
    expect(colouredBytes().size).toBe(0);
  });
});
