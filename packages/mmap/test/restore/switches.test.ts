/** The switches between ways, by name: that each is taken where it should be, and that the bytes are those of the start all the while. */
import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, PageRestorer, platform, type RestoreResult } from '../../src/index.js';

const { pageSize } = platform();
const NUM_PAGES = 256;
const IMAGE_PAGES = 16;

/** What a user does to the pages; `i` counts the users. */
type User = (bytes: Uint8Array, i: number) => void;

const touching =
  (pages: (i: number) => readonly number[]): User =>
  (bytes, i) => {
    for (const page of pages(i)) bytes[page * pageSize + (i % pageSize)] = 255;
  };
const all = Array.from({ length: NUM_PAGES }, (_, page) => page);
const same = (count: number) => touching(() => all.slice(0, count).map((page) => page * 8));
const other = (count: number) =>
  touching((i) => all.slice(0, count).map((page) => (page * 61 + i * 97) % NUM_PAGES));
const writesAll = touching(() => all);
const nothing: User = () => undefined;

type Step = Pick<RestoreResult, 'strategy' | 'bytesWritten' | 'bytesDropped' | 'bytesResident'>;

/** Lets users come and go, and tells how each restore was done. `looks` compares all bytes after each, which is a user, too. */
function run(phases: readonly (readonly [number, User])[], looks: boolean, maxPages: number): Step[] {
  const image = new Uint8Array(IMAGE_PAGES * pageSize).map((_, i) => (i * 31 + 7) & 255);
  const start = Buffer.alloc(NUM_PAGES * pageSize);
  start.set(image);
  using file = memoryImage(image);
  using map = Mmap.anonymous(NUM_PAGES * pageSize);
  map.advise(0, map.byteLength, 'nohugepage');
  map.mapImageAt(file, 0);
  const bytes = new Uint8Array(map.view());
  const maxResidentBytes = maxPages * pageSize;
  const images = [{ offset: 0, bytes: image, mapped: true }];
  using restorer = new PageRestorer({ map }, { images, maxResidentBytes });
  const steps: Step[] = [];
  let i = 0;
  for (const [times, user] of phases) {
    for (const end = i + times; i < end; i++) {
      user(bytes, i);
      const { strategy, bytesWritten, bytesDropped, bytesResident } = restorer.restore();
      steps.push({ strategy, bytesWritten, bytesDropped, bytesResident });
      if (looks) expect(Buffer.compare(bytes, start), `after user ${i}`).toBe(0);
    }
  }
  expect(Buffer.compare(bytes, start)).toBe(0);
  return steps;
}

function play(phases: readonly (readonly [number, User])[], maxPages = NUM_PAGES): Step[] {
  run(phases, true, maxPages);
  return run(phases, false, maxPages);
}

const part = (steps: readonly Step[], strategy: Step['strategy']) =>
  steps.filter((step) => step.strategy === strategy).length / steps.length;

describe.runIf(PageRestorer.isSupported('scan'))('switches (skipped where there is no PAGEMAP_SCAN)', () => {
  it('users that write nothing: dropped unseen, with a scan now and then', () => {
    const steps = play([[600, nothing]]).slice(100);
    expect(part(steps, 'drop')).toBeGreaterThan(0.9);
    expect(part(steps, 'scan')).toBeGreaterThan(0);
  });

  it('users that write the same pages: written back, never dropped', () => {
    const steps = play([[300, same(4)]]);
    expect(part(steps.slice(20), 'scan')).toBe(1);
    expect(steps.at(-1)).toMatchObject({ bytesWritten: 4 * pageSize, bytesDropped: 0 });
  });

  it('users that write other pages: dropped, for nothing is gained by keeping them', () => {
    expect(part(play([[600, other(4)]]).slice(100), 'drop')).toBeGreaterThan(0.8);
  });

  it('the same where the limit cuts what is kept: pages that it dropped come on top again', () => {
    expect(part(play([[600, other(12)]], 32).slice(100), 'drop')).toBeGreaterThan(0.8);
  });

  it('users that write all: copied without a look, with a scan now and then', () => {
    const steps = play([[300, writesAll]]).slice(50);
    expect(part(steps, 'copy')).toBeGreaterThan(0.7);
    expect(part(steps, 'scan')).toBeGreaterThan(0);
  });

  it('after drops, users that write the same pages: written back before long', () => {
    const steps = play([
      [400, nothing],
      [400, same(16)],
    ]).slice(600);
    expect(part(steps, 'scan')).toBe(1);
    expect(steps.at(-1)).toMatchObject({ bytesWritten: 16 * pageSize });
  });

  it('after copies, users that write little: no more than that is written before long', () => {
    const steps = play([
      [100, writesAll],
      [100, same(4)],
    ]).slice(150);
    expect(part(steps, 'copy')).toBe(0);
    expect(steps.at(-1)?.bytesWritten).toBe(4 * pageSize);
  });

  it('one user far fatter than all before: what it wrote goes with its own restore', () => {
    const steps = play([
      [30, same(4)],
      [1, writesAll],
      [10, same(4)],
    ]);
    expect(steps[30]).toMatchObject({ strategy: 'drop', bytesResident: 0 });
    for (const step of steps.slice(31)) expect(step.bytesWritten).toBeLessThanOrEqual(4 * pageSize);
  });

  it('fat users that come back soon: from then on it is kept for them', () => {
    const steps = play([
      [30, same(4)],
      [200, (bytes, i) => (i % 4 === 0 ? writesAll(bytes, i) : same(4)(bytes, i))],
    ]);
    const fat = steps.filter((_, i) => i >= 50 && i % 4 === 0);
    expect(fat.filter(({ strategy }) => strategy === 'drop').length).toBeLessThan(fat.length / 4);
  });

  it('users that write every eighth page of what one of them left: not taken for users that write nothing', () => {
    const steps = play([[200, (bytes, i) => (i % 8 === 7 ? writesAll(bytes, i) : same(32)(bytes, i))]]).slice(
      50,
    );
    expect(part(steps, 'drop')).toBeLessThan(0.1);
  });
});
