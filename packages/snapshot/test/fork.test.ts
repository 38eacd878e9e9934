import { readFileSync } from 'node:fs';

import { addressOf, platform, type VirtualMemory } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';

import { snapshot } from '../src/index.js';
import { bytesOf, instantiate, testModule, type TestInstance } from './support/wasm.js';
import { obstacleTo, WAYS } from './support/ways.js';

const WASM_PAGE = 65_536;
const PAGE = 4096;
const code = (value: string, message = /./) =>
  expect.objectContaining({ code: value, message: expect.stringMatching(message) as string });

/** An instance whose memory is filled, as a warm interpreter's is. */
function warm(shape = [{ initial: 4, maximum: 64 }]): TestInstance {
  const made = instantiate(shape);
  made.exports.fill(WASM_PAGE, 5, WASM_PAGE);
  made.exports.poke(1, 1);
  made.exports.counter.value = 99;
  return made;
}

describe.each(WAYS)('restoreInto, %s', (method) => {
  it('gives other instances the state; each then goes its own way and comes back', () => {
    const first = warm();
    using state = snapshot(first.instance, { method });
    const before = bytesOf(first.exports.memory);
    const forks = Array.from({ length: 5 }, () => instantiate());
    forks.forEach(({ instance, exports }, i) => {
      exports.fill(0, 77, 4 * WASM_PAGE); // their own state is gone afterwards
      state.restoreInto(instance);
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
      expect(exports.counter.value).toBe(99);
      exports.poke(WASM_PAGE + i, i);
    });
    expect(forks.map(({ exports }, i) => exports.peek(WASM_PAGE + i))).toEqual([0, 1, 2, 3, 4]);
    expect(bytesOf(first.exports.memory).equals(before)).toBe(true);
    for (let round = 0; round < 3; round++) {
      for (const { instance, exports } of forks) {
        exports.fill(3 * WASM_PAGE, round + 1, 9000);
        exports.poke(WASM_PAGE + 5, 0);
        exports.counter.value = 1;
        state.restoreInto(instance);
        expect(bytesOf(exports.memory).equals(before)).toBe(true);
        expect(exports.counter.value).toBe(99);
      }
    }
  });

  it('grows what is too small, and makes zeros of what is too large', () => {
    const first = warm();
    first.exports.grow(2);
    first.exports.poke(5 * WASM_PAGE, 5);
    using state = snapshot(first.instance, { method });
    const small = instantiate();
    const large = instantiate();
    large.exports.grow(7);
    large.exports.fill(0, 1, 11 * WASM_PAGE);
    for (const { instance, exports } of [small, large]) {
      state.restoreInto(instance);
      expect([exports.peek(1), exports.peek(2), exports.peek(5 * WASM_PAGE)]).toEqual([1, 0, 5]);
    }
    expect(small.exports.memory.buffer.byteLength).toBe(6 * WASM_PAGE);
    expect(
      bytesOf(large.exports.memory)
        .subarray(6 * WASM_PAGE)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  it('never gives an instance the functions of another', () => {
    const first = warm();
    first.exports.setHidden(123);
    first.exports.table.set(3, first.exports.hidden);
    using state = snapshot(first.instance, { method });
    const other = instantiate();
    state.restoreInto(other.instance);
    expect(other.exports.table.get(3)).toBe(other.exports.hidden);
    expect(other.exports.indirect(3)).toBe(5);
    // The second function of the table is not exported: the module itself has put its twin in the same place.
    expect(other.exports.table.get(2)).not.toBe(first.exports.table.get(2));
    expect(other.exports.indirect(2)).toBe(11);
  });

  it('goes on after the first instance was collected, and after the snapshot was closed', async () => {
    const fork = instantiate();
    const state = await (async () => {
      const first = warm();
      const taken = snapshot(first.instance, { method });
      taken.restoreInto(fork.instance);
      await Promise.resolve();
      return taken;
    })();
    const second = instantiate();
    state.restoreInto(second.instance);
    expect([second.exports.peek(1), second.exports.peek(WASM_PAGE)]).toEqual([1, 5]);
    fork.exports.poke(1, 3);
    state.close();
    expect([fork.exports.peek(1), fork.exports.peek(WASM_PAGE), fork.exports.peek(2)]).toEqual([3, 5, 0]);
    fork.exports.grow(1);
    using own = snapshot(fork.instance, { method });
    fork.exports.fill(0, 8, 5 * WASM_PAGE);
    own.restore();
    expect([fork.exports.peek(1), fork.exports.peek(WASM_PAGE), fork.exports.peek(4 * WASM_PAGE)]).toEqual([
      3, 5, 0,
    ]);
  });

  it('takes one instance from one snapshot to another and back', () => {
    const zero = instantiate();
    using empty = snapshot(zero.instance, { method });
    using filled = snapshot(warm().instance, { method });
    const { instance, exports } = instantiate();
    for (let round = 0; round < 3; round++) {
      filled.restoreInto(instance);
      expect([exports.peek(WASM_PAGE), exports.counter.value]).toEqual([5, 99]);
      exports.poke(3 * WASM_PAGE, 1);
      empty.restoreInto(instance);
      expect(bytesOf(exports.memory).every((byte) => byte === 0)).toBe(true);
      expect(exports.counter.value).toBe(7);
    }
  });
});

describe('restoreInto', () => {
  it('refuses what is not of the same module, and changes nothing', () => {
    const module = testModule([{ initial: 4, maximum: 64 }]);
    using state = snapshot(warm().instance, { module });
    const other = instantiate();
    const more = instantiate([{ initial: 4, maximum: 64 }, { initial: 1 }]);
    const shared = instantiate([{ initial: 4, maximum: 64, shared: true }]);
    const small = instantiate([{ initial: 1, maximum: 2 }]);
    expect(() => state.restoreInto(more.instance)).toThrow(code('ERR_SNAPSHOT_WRONG_TARGET', /exports/));
    expect(() => state.restoreInto(small.instance)).toThrow(code('ERR_SNAPSHOT_WRONG_TARGET', /grow/));
    expect(() => state.restoreInto(shared.instance)).toThrow(code('ERR_SNAPSHOT_SHARED_MEMORY'));
    expect(() => state.restoreInto(other.exports.memory)).toThrow(code('ERR_SNAPSHOT_WRONG_TARGET'));
    expect(() =>
      state.restoreInto(instantiate(undefined, { salt: 8 }).instance, {
        module: testModule([{ initial: 4, maximum: 64 }], 8),
      }),
    ).toThrow(code('ERR_SNAPSHOT_WRONG_TARGET', /module/));
    expect([more.exports.peek(1), small.exports.peek(1), other.exports.counter.value]).toEqual([0, 0, 7]);
    state.restoreInto(other.instance, { module });
  });

  it('refuses one memory, global or table in the place of two', () => {
    const memories = Array.from({ length: 3 }, () => new WebAssembly.Memory({ initial: 1 }));
    using state = snapshot(memories.slice(0, 2));
    const twice = [memories[2]!, memories[2]!];
    expect(() => state.restoreInto(twice)).toThrow(code('ERR_SNAPSHOT_WRONG_TARGET', /1 different memories/));
    const global = (): WebAssembly.Global => new WebAssembly.Global({ value: 'i32', mutable: true }, 5);
    const [memory, one] = [memories[0]!, global()];
    using exported = snapshot({ memory, a: one, b: one });
    expect(() => exported.restoreInto({ memory, a: global(), b: global() })).toThrow(
      code('ERR_SNAPSHOT_WRONG_TARGET', /2 different mutable globals, not 1/),
    );
  });

  it('is refused if the snapshot is closed by what it is given', () => {
    const [memory, other] = [new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Memory({ initial: 1 })];
    const closing = [
      (close: () => void) => [{ memory: other }, Object.defineProperty({}, 'module', { get: close })],
      (close: () => void) => [
        Object.defineProperty({}, 'memory', { enumerable: true, get: () => (close(), other) }),
      ],
    ] as ((close: () => void) => [object, object?])[];
    for (const given of closing) {
      new Uint8Array(memory.buffer)[0] = 1;
      const state = snapshot({ memory });
      expect(() => state.restoreInto(...given(() => state.close()))).toThrow(code('ERR_SNAPSHOT_CLOSED'));
      expect(new Uint8Array(other.buffer)[0]).toBe(0);
    }
  });

  it('refuses what cannot be handed on: functions that were put in a table later, objects of the host', () => {
    const first = warm();
    first.exports.table.set(6, first.exports.table.get(2));
    using state = snapshot(first.instance);
    const other = instantiate();
    expect(() => state.restoreInto(other.instance)).toThrow(
      code('ERR_SNAPSHOT_WRONG_TARGET', /entry 6 of table 0/),
    );
    expect([other.exports.peek(1), other.exports.counter.value]).toEqual([0, 7]);
    first.exports.poke(1, 2);
    state.restore(); // at home it is known
    expect([first.exports.peek(1), first.exports.indirect(6)]).toEqual([1, 11]);
  });

  describe('with tables that are said to be as they were made', () => {
    const options = { tablesAsMade: true };

    it('leaves them alone where the snapshot’s are, too, and restores them later', () => {
      const first = warm();
      using state = snapshot(first.instance);
      const forks = Array.from({ length: 4 }, () => instantiate());
      for (const { instance } of forks) state.restoreInto(instance, options);
      for (const { instance, exports } of forks) {
        expect([exports.peek(1), exports.indirect(1), exports.indirect(2)]).toEqual([1, 10, 11]);
        exports.table.set(1, null); // exported, so its twin is known by name
        exports.table.set(5, exports.hidden);
        exports.poke(1, 9);
        state.restoreInto(instance);
        expect([exports.peek(1), exports.indirect(1), exports.table.get(5)]).toEqual([1, 10, null]);
      }
      const lost = instantiate();
      state.restoreInto(lost.instance, options);
      lost.exports.table.set(2, null);
      lost.exports.poke(1, 9);
      expect(() => state.restoreInto(lost.instance)).toThrow(
        code('ERR_SNAPSHOT_WRONG_TARGET', /entry 2 of table 0/),
      );
      expect(lost.exports.peek(1)).toBe(9);
    });

    it('writes them all the same where the snapshot’s have changed', () => {
      const first = warm();
      first.exports.table.set(3, first.exports.hidden);
      first.exports.table.grow(3);
      using state = snapshot(first.instance);
      for (let i = 0; i < 4; i++) {
        const { instance, exports } = instantiate();
        state.restoreInto(instance, options);
        expect([exports.table.get(3), exports.table.length]).toEqual([exports.hidden, 11]);
      }
    });
  });

  it('refuses what has other constants among its globals', () => {
    const exportsOf = (mutable: boolean): object => ({
      memory: new WebAssembly.Memory({ initial: 1 }),
      base: new WebAssembly.Global({ value: 'i32', mutable }, 5),
      top: new WebAssembly.Global({ value: 'i32', mutable: true }, 5),
    });
    using state = snapshot(exportsOf(true));
    expect(() => state.restoreInto(exportsOf(false))).toThrow(
      code('ERR_SNAPSHOT_WRONG_TARGET', /export 1 is global base, not mutable global base/),
    );
    using constant = snapshot(exportsOf(false));
    const other = exportsOf(false) as { readonly top: WebAssembly.Global };
    other.top.value = 6;
    constant.restoreInto(other);
    expect(other.top.value).toBe(5);
  });

  it('shares pages until they are written', (context) => {
    const obstacle = obstacleTo('laid');
    if (obstacle !== undefined) context.skip(obstacle);
    const shape = [{ initial: 64, maximum: 128 }];
    const first = instantiate(shape);
    first.exports.fill(0, 5, 64 * WASM_PAGE);
    using state = snapshot(first.instance);
    const forks = Array.from({ length: 20 }, () => instantiate(shape));
    const before = privateBytes();
    for (const { instance } of forks) state.restoreInto(instance);
    for (const { exports } of forks) exports.poke(5, 6);
    // 20 copies would be 80 MiB.
    expect(privateBytes() - before).toBeLessThan(20 * 2 ** 20);
    expect(forks.every(({ exports }) => exports.peek(5) === 6 && exports.peek(63 * WASM_PAGE) === 5)).toBe(
      true,
    );
  });
});

const obstacle = obstacleTo('laid');

describe.skipIf(obstacle !== undefined)(
  `what a new instance has written itself (${obstacle ?? 'can be laid over'})`,
  () => {
    /** Runs something with the real system, and what it maps privately over memories, as first page and number of pages. */
    function noting(
      run: (virtualMemory: VirtualMemory, laidOver: (address: number) => number[][]) => void,
    ): void {
      let calls: (readonly [address: number, byteLength: number])[] = [];
      const system = platform();
      const mapFile: VirtualMemory['mapFile'] = (fd, fileOffset, address, byteLength, access, sharing) => {
        if (sharing === 'private') calls.push([address, byteLength]);
        return system.mapFile(fd, fileOffset, address, byteLength, access, sharing);
      };
      const get = (target: VirtualMemory, name: keyof VirtualMemory): unknown =>
        name === 'mapFile' ? mapFile : target[name];
      run(new Proxy(system, { get }), (address) => {
        const laid = calls.map(([start, byteLength]) => [(start - address) / PAGE, byteLength / PAGE]);
        calls = [];
        return laid;
      });
    }

    it.each<[string, number[][], number[][]]>([
      [
        'is not mapped over where it is little',
        [
          [3, 2],
          [20, 1],
        ],
        [
          [0, 3],
          [5, 15],
          [21, 43],
        ],
      ],
      [
        'at an end, too',
        [
          [1, 1],
          [63, 1],
        ],
        [
          [0, 1],
          [2, 61],
        ],
      ],
      ['is mapped over where it is much', [[3, 40]], [[0, 64]]],
      ['and where it is in many places', Array.from({ length: 6 }, (_, i) => [i * 5 + 1, 1]), [[0, 64]]],
    ])('%s', (_, written, expected) => {
      const first = instantiate();
      first.exports.fill(0, 5, 4 * WASM_PAGE);
      const before = bytesOf(first.exports.memory);
      noting((virtualMemory, laidOver) => {
        using state = snapshot(first.instance, { virtualMemory });
        laidOver(0);
        for (let round = 0; round < 3; round++) {
          const { instance, exports } = instantiate();
          for (const [page, count] of written) exports.fill(page! * PAGE + 100, 9, count! * PAGE - 100);
          state.restoreInto(instance);
          expect(laidOver(addressOf(new Uint8Array(exports.memory.buffer)))).toEqual(expected);
          for (let again = 0; again < 3; again++) {
            expect(bytesOf(exports.memory).equals(before)).toBe(true);
            for (const [page, count] of written) exports.fill(page! * PAGE - 50, again, count! * PAGE);
            state.restoreInto(instance);
          }
        }
      });
    });
  },
);

/** Anonymous memory of this process in bytes: what no other mapping shares. */
function privateBytes(): number {
  const rollup = readFileSync('/proc/self/smaps_rollup', 'latin1');
  return Number(/^Anonymous:\s+(\d+)/m.exec(rollup)?.[1]) * 1024;
}
