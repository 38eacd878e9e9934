/** Views, closes, resizes and collections in any order: no address that a view showed is free before that view is collected. */

import fc from 'fast-check';
import { collect, laps } from '@guardstripe/test-support';
import { expect, it } from 'vitest';

import { Mmap, platform, withheldAddresses } from '../../src/index.js';
import { isMapped } from '../support/process-maps.js';

const { pageSize } = platform();
const MAX_PAGES = 8;

interface Seen {
  readonly view: ArrayBuffer;
  readonly address: number;
}

const step = fc.record({
  kind: fc.constantFrom('view', 'view', 'detach', 'drop', 'resize', 'close', 'collect'),
  pick: fc.nat(),
  pages: fc.integer({ min: 1, max: MAX_PAGES }),
});

/** The state is an object, and each step a call: what a suspended function has in its variables is not collected. */
interface State {
  maps: Mmap[];
  seen: Seen[];
}

function run(state: State, { kind, pick, pages }: { kind: string; pick: number; pages: number }): void {
  const map = state.maps[pick % Math.max(1, state.maps.length)];
  if (kind === 'drop') state.seen = state.seen.filter((_, i) => i % 3 !== pick % 3);
  if (map === undefined) return;
  const offset = pick % map.byteLength;
  if (kind === 'view') state.seen.push({ view: map.view(offset, 1), address: map.address + offset });
  if (kind === 'detach') map.detachView(map.view(offset, 1));
  if (kind === 'resize') map.resize(pages * pageSize);
  if (kind !== 'close') return;
  map.close();
  state.maps = state.maps.filter((other) => other !== map);
}

const allTaken = ({ seen }: State) => seen.every(({ address }) => isMapped(address));

function endAll(state: State): boolean {
  for (const map of state.maps) map.close();
  state.maps = [];
  const areDetached = state.seen.every(({ view }) => view.byteLength === 0) && allTaken(state);
  state.seen = [];
  return areDetached;
}

it('addresses stay taken while a view of them is held, and come back when none is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const state: State = { maps: [3, 1, 5].map((pages) => Mmap.anonymous(pages * pageSize)), seen: [] };
      for (const next of steps) {
        run(state, next);
        if (next.kind === 'collect') await collect(() => true);
        expect(allTaken(state)).toBe(true);
      }
      expect(endAll(state)).toBe(true);
      expect(await collect(() => withheldAddresses().coolingRanges === 0)).toBe(true);
      expect(withheldAddresses().retiredRanges).toBe(0);
    }),
    { numRuns: laps(40, 8) },
  );
});

const VIEWS_PER_TURN = 10_000;
const NUM_TURNS = laps(20, 4);

it(`${NUM_TURNS * VIEWS_PER_TURN} small views of one map do not stay until it closes`, async () => {
  using map = Mmap.anonymous(MAX_PAGES * pageSize);
  const first = new WeakRef(map.view(0, 1));
  for (let turn = 0; turn < NUM_TURNS; turn++) {
    for (let n = 0; n < VIEWS_PER_TURN; n++) map.view(n % map.byteLength, 1 + turn);
    await collect(() => true, 1);
  }
  expect(await collect(() => first.deref() === undefined)).toBe(true);
});
