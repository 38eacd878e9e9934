import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { parseAddressSpaceLimit, parseCount, parseOvercommit } from '../../src/platform/host.js';
import { host, Mmap, platform } from '../../src/index.js';
import { fixtureJson } from '../support/child.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

describe('host', () => {
  it('agrees with the process and with /proc', () => {
    const info = host();
    expect(info.platform).toBe(process.platform);
    expect(info.arch).toBe(process.arch);
    expect(info.pageSize).toBe(platform().pageSize);
    expect(Math.log2(info.pageSize) % 1).toBe(0);
    expect(info.maxMapCount).toBe(Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8')));
    expect(Object.values(info.features).every((there) => typeof there === 'boolean')).toBe(true);
    expect(info.features.memfd).toBe(true);
    expect(host().features).toBe(info.features);
  });

  it('tells whether pages that are only read take memory, as the resident size does', () => {
    const residentPages = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);
    const numPages = 8192;
    using map = Mmap.anonymous(numPages * platform().pageSize);
    map.advise(0, map.byteLength, 'nohugepage');
    const bytes = new Uint8Array(map.view());
    const before = residentPages();
    let sum = 0;
    for (let page = 0; page < numPages; page++) sum += bytes[page * platform().pageSize]!;
    const taken = residentPages() - before;
    expect(sum).toBe(0);
    expect(taken < numPages / 2).toBe(host().features.sharedZeroPage);
  });

  it('every address handed out fits the address bits', () => {
    const { addressBits } = host();
    expect(addressBits).toBeGreaterThanOrEqual(38);
    using map = Mmap.reserve(2 ** 30);
    expect(map.address + map.byteLength).toBeLessThanOrEqual(2 ** addressBits);
  });
});

describe('readers of /proc', () => {
  it('overcommit', () => {
    expect(['0\n', '1\n', '2\n', '', 'x'].map(parseOvercommit)).toEqual([
      'heuristic',
      'always',
      'never',
      'unknown',
      'unknown',
    ]);
  });

  it('counts and limits', () => {
    expect(['65530\n', '', 'x'].map(parseCount)).toEqual([65530, undefined, undefined]);
    const limits = (value: string) =>
      `Limit   Soft Limit  Hard Limit  Units\nMax address space         ${value}    unlimited    bytes\n`;
    expect(parseAddressSpaceLimit(limits('1073741824'))).toBe(2 ** 30);
    expect(parseAddressSpaceLimit(limits('unlimited'))).toBeUndefined();
    expect(parseAddressSpaceLimit('')).toBeUndefined();
  });
});

describe('a process short of descriptors', () => {
  it('hears a system error, and finds what it could not find when there are some again', () => {
    const result = fixtureJson('few-descriptors.mjs') as Record<'without' | 'withThem', object>;
    expect(result.without).toEqual({ scans: false, guard: 'SystemError EMFILE open', feature: false });
    const scans = host().features.pagemapScan;
    expect(result.withThem).toEqual({ scans, guard: false, feature: scans });
  });
});

describe('a process that may not read files', () => {
  it('still knows its pages and its host', () => {
    const result = fixtureJson(
      'without-proc.mjs',
      [],
      ['--permission', '--allow-addons', `--allow-fs-read=${ROOT}`],
    );
    const { features, ...facts } = host();
    expect(result).toMatchObject({
      restored: true,
      hugePages: expect.stringMatching(/^(mapped|unavailable)$/) as string,
      scans: features.pagemapScan,
      host: JSON.parse(JSON.stringify({ ...facts, features })) as object,
    });
    expect(result).toMatchObject(features.pagemapScan ? { dirtyBytes: platform().pageSize } : {});
  });
});
