/**
 * What the choice by itself costs beside each way alone, on pages whose every touch has a price: no clock, no kernel, and so no noise but
 * that which is drawn here.
 */
import { describe, expect, it } from 'vitest';
import { sampled } from '@guardstripe/test-support';

import { PageRestorer, platform, RESTORE_STRATEGIES, type RestoreStrategy } from '../../src/index.js';
import { PricedMemory, type Price } from '../support/priced.js';

const { pageSize } = platform();
const USERS = 1000;
/** Users before the first whose cost counts where they are all alike. */
const SETTLING = 100;

type User = (memory: PricedMemory, i: number) => void;

interface Pattern {
  readonly name: string;
  readonly numPages: number;
  readonly imagePages: number;
  readonly isSteady: boolean;
  readonly user: User;
  readonly maxResidentPages?: number;
}

const spread = (count: number, numPages: number) =>
  Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * numPages) / count));
const writes = (count: number, numPages: number, shift = 0): User => {
  const pages = spread(count, numPages);
  return (memory, i) => {
    for (const page of pages) memory.write((page + i * shift) % numPages);
  };
};
const reads = (numPages: number): User => {
  return (memory) => {
    for (let page = 0; page < numPages; page++) memory.read(page);
  };
};
const both =
  (...users: readonly User[]): User =>
  (memory, i) => {
    for (const user of users) user(memory, i);
  };
const oneOf =
  (every: number, rare: User, usual: User): User =>
  (memory, i) =>
    i % every === every - 1 ? rare(memory, i) : usual(memory, i);

const SMALL = { numPages: 256, imagePages: 16, isSteady: true };
const BIG = { numPages: 1024, imagePages: 1024, isSteady: true };
const SHIFT = 97;
const PATTERNS: readonly Pattern[] = [
  { ...SMALL, name: 'nothing', user: () => undefined },
  { ...SMALL, name: 'the same 4 pages', user: writes(4, 256) },
  { ...SMALL, name: 'the same 64 pages', user: writes(64, 256) },
  { ...SMALL, name: '4 other pages', user: writes(4, 256, SHIFT) },
  { ...SMALL, name: 'all read, 4 pages', user: both(reads(256), writes(4, 256)) },
  { ...SMALL, name: 'all written', user: writes(256, 256) },
  {
    ...SMALL,
    name: 'all written and 4 pages in turn',
    isSteady: false,
    user: oneOf(2, writes(256, 256), writes(4, 256)),
  },
  {
    ...SMALL,
    name: 'one in 20 writes all',
    isSteady: false,
    user: oneOf(20, writes(256, 256), writes(4, 256)),
  },
  { ...BIG, name: 'an image, the same 10 pages', user: writes(10, 1024) },
  { ...BIG, name: 'an image, 10 other pages', user: writes(10, 1024, SHIFT) },
  { ...BIG, name: 'an image, all read, the same 10 pages', user: both(reads(1024), writes(10, 1024)) },
  { ...BIG, name: 'an image, all read, 10 other pages', user: both(reads(1024), writes(10, 1024, SHIFT)) },
  {
    ...BIG,
    name: 'an image, all read, 10 other pages, of which 100 may stay',
    user: both(reads(1024), writes(10, 1024, SHIFT)),
    maxResidentPages: 100,
  },
  {
    ...BIG,
    name: 'an image, all read and 10 pages in turn',
    isSteady: false,
    user: oneOf(2, both(reads(1024), writes(10, 1024)), writes(10, 1024)),
  },
  {
    ...BIG,
    imagePages: 0,
    name: 'many zeros, all read, 10 other pages',
    user: both(reads(1024), writes(10, 1024, SHIFT)),
  },
];

const image = new Uint8Array(BIG.imagePages * pageSize);

/** What `USERS` of a pattern and their restores cost, one by one. */
function play(pattern: Pattern, price: Price, strategies: readonly RestoreStrategy[]): number[] {
  const memory = new PricedMemory(pattern.numPages, pattern.imagePages, price);
  const { virtualMemory, range } = memory;
  const bytes = image.subarray(0, pattern.imagePages * pageSize);
  const images = bytes.length === 0 ? [] : [{ offset: 0, bytes, mapped: true }];
  const maxResidentBytes = (pattern.maxResidentPages ?? pattern.numPages) * pageSize;
  const restorer = new PageRestorer(range, { images, strategies, virtualMemory, maxResidentBytes });
  return Array.from({ length: USERS }, (_, i) => {
    const before = memory.ns;
    pattern.user(memory, i);
    const { bytesResident } = restorer.restore();
    if (bytesResident > maxResidentBytes) expect.fail(`${bytesResident} bytes stay after user ${i}`);
    if (memory.numChanged !== 0) expect.fail(`${memory.numChanged} pages are wrong after user ${i}`);
    return memory.ns - before;
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The choice by itself as a multiple of the best way alone, from user `from` on. */
function compare(pattern: Pattern, price: Price, from: number): number {
  const costOf = (strategies: readonly RestoreStrategy[]) =>
    mean(play(pattern, price, strategies).slice(from));
  return costOf(RESTORE_STRATEGIES) / Math.min(...RESTORE_STRATEGIES.map((strategy) => costOf([strategy])));
}

/** Numbers from 0 to 1, the same for the same seed (Park and Miller). */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Each kind of work costs up to twice or half of what the engine takes it for, and each single one up to twice as much again. */
function noisy(seed: number): Price {
  const next = random(seed);
  const factors = new Map<number, number>();
  return (ns) => {
    let factor = factors.get(ns);
    if (factor === undefined) factors.set(ns, (factor = 2 ** (2 * next() - 1)));
    return ns * factor * (1 + next());
  };
}

describe.each(PATTERNS)('$name', (pattern) => {
  it('on the machine that the engine takes it for', () => {
    const ratio = compare(pattern, (ns) => ns, pattern.isSteady ? SETTLING : 0);
    expect(ratio).toBeLessThan(pattern.isSteady ? 1.3 : 2);
  });

  it.each(sampled([11, 71]))('on a machine drawn from %d', (seed) => {
    const ratio = compare(pattern, noisy(seed), 0);
    expect(ratio).toBeLessThan(2);
  });
});
