/** Memories whose pages the system takes away between a snapshot and its restore, with a swap file of our own: each byte as it was. */
import { readFileSync } from 'node:fs';

import { addressOf, platform } from '@guardstripe/mmap';
import { laps, needing, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';

import { snapshot } from '../../src/index.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';
import { obstacleTo, WAYS } from '../support/ways.js';

const WASM_PAGE = 65_536;
const NUM_PAGES = 64;
const BYTES = NUM_PAGES * WASM_PAGE;
const HOST_PAGE = platform().pageSize;

const swap = new SwapFile(64 * 2 ** 20);
afterAll(() => swap.close());

function swappedBytes(): number {
  return Number(/^VmSwap:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
}

function swapOut(memory: WebAssembly.Memory): void {
  const before = swappedBytes();
  platform().advise(addressOf(new Uint8Array(memory.buffer)), BYTES, 'pageout');
  // Some may stay, for reasons of the system; where none went, nothing is tried.
  expect(swappedBytes() - before).toBeGreaterThan(BYTES / 16);
}

/** Writes single bytes of every other page and whole pages of zeros, elsewhere each time. */
function use({ exports }: TestInstance, round: number): void {
  for (let page = round; page * HOST_PAGE < BYTES; page += 2)
    exports.poke(page * HOST_PAGE + ((page * 7 + round) % HOST_PAGE), 1 + (round % 255));
  exports.fill((round % NUM_PAGES) * WASM_PAGE, 0, WASM_PAGE);
}

function started(): TestInstance {
  const made = instantiate([{ initial: NUM_PAGES, maximum: NUM_PAGES }]);
  for (let page = 0; page < NUM_PAGES; page += 3)
    made.exports.fill(page * WASM_PAGE + 100, page + 1, WASM_PAGE / 2);
  return made;
}

describe.each(WAYS)('a memory that goes to swap, %s', (method) => {
  const obstacle = swap.obstacle ?? obstacleTo(method);

  it(
    'is brought back, and what differs is found',
    needing(obstacle, () => {
      const made = started();
      const { instance, exports } = made;
      swapOut(exports.memory);
      const start = bytesOf(exports.memory);
      using state = snapshot(instance, { method });
      for (let round = 0; round < laps(20, 6); round++) {
        use(made, round);
        if (round % 3 !== 2) swapOut(exports.memory);
        if (round % 2 === 0) {
          const now = bytesOf(exports.memory);
          let differing = 0;
          for (let at = 0; at < BYTES; at += HOST_PAGE)
            if (now.compare(start, at, at + HOST_PAGE, at, at + HOST_PAGE) !== 0) differing += HOST_PAGE;
          swapOut(exports.memory);
          expect(state.changedBytes()).toBe(differing);
          swapOut(exports.memory);
        }
        state.restore();
        // What is put back may go, too, before the next writes.
        if (round % 4 === 1) swapOut(exports.memory);
        expect(bytesOf(exports.memory).equals(start)).toBe(true);
      }
    }),
  );

  it(
    'is the start of forks, and of snapshots of those',
    needing(obstacle, () => {
      const made = started();
      const start = bytesOf(made.exports.memory);
      using state = snapshot(made.instance, { method });
      const fork = started();
      for (let round = 0; round < laps(10, 3); round++) {
        use(fork, round);
        swapOut(fork.exports.memory);
        state.restoreInto(fork.instance);
        expect(bytesOf(fork.exports.memory).equals(start)).toBe(true);
        use(fork, round + 1);
        swapOut(fork.exports.memory);
        const expected = bytesOf(fork.exports.memory);
        using second = snapshot(fork.instance, { method });
        use(fork, round + 2);
        swapOut(fork.exports.memory);
        second.restore();
        expect(bytesOf(fork.exports.memory).equals(expected)).toBe(true);
      }
      expect(bytesOf(made.exports.memory).equals(start)).toBe(true);
    }),
  );
});
