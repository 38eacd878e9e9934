import { describe, expect, it } from 'vitest';

import { ThreadTable } from '../../src/index.js';

describe('a table of threads', () => {
  it('tells all of them who lives', () => {
    const table = new ThreadTable();
    const seats = [table.add(), table.add(), table.add()];
    const [one, two, three] = seats.map((seat) => ThreadTable.join(structuredClone(seat)));
    expect(new Set([one!.self, two!.self, three!.self]).size).toBe(3);
    expect([one!.isAlive(two!.self), three!.isAlive(two!.self)]).toEqual([true, true]);
    table.end(two!.self);
    table.end(two!.self);
    expect([one!.isAlive(two!.self), one!.isAlive(three!.self), one!.isAlive(one!.self)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('does not give a number out again', () => {
    const table = new ThreadTable();
    const seen = new Set<number>();
    const kept = table.add();
    for (let round = 0; round < 5000; round++) {
      const { thread } = table.add();
      expect(seen.has(thread)).toBe(false);
      seen.add(thread);
      table.end(thread);
    }
    expect(ThreadTable.join(kept).isAlive(kept.thread)).toBe(true);
  });

  it('is full with 1,024 threads', () => {
    const table = new ThreadTable();
    const seats = Array.from({ length: 1024 }, () => table.add());
    expect(() => table.add()).toThrow(expect.objectContaining({ code: 'ERR_TOO_MANY_THREADS' }));
    table.end(seats[500]!.thread);
    expect(table.add().thread).toBeGreaterThan(1024);
  });

  it('refuses what is no seat', () => {
    const table = new SharedArrayBuffer(64);
    for (const seat of [undefined, 3, {}, { thread: 1 }, { thread: 1, table: new ArrayBuffer(8) }]) {
      expect(() => ThreadTable.join(seat as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
    expect(() => ThreadTable.join({ thread: 1, table })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => ThreadTable.join({ thread: 0, table })).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  it('says what is no seat by its name', () => {
    const { table } = new ThreadTable().add();
    expect(() => ThreadTable.join(3 as never)).toThrow('"seat"');
    expect(() => ThreadTable.join({ thread: '1' as never, table })).toThrow('"seat.thread"');
    expect(() => ThreadTable.join({ thread: 1, table: [] as never })).toThrow(
      '"seat.table" property must be an instance of SharedArrayBuffer',
    );
    expect(() => ThreadTable.join({ thread: 1, table: new SharedArrayBuffer(8) })).toThrow(
      '"seat.table" is not the buffer of a ThreadTable',
    );
    expect(() => ThreadTable.join({ thread: 1, table: new Proxy(table, {}) })).toThrow(
      '"seat.table" is not the buffer of a ThreadTable',
    );
    expect(() => new ThreadTable().end(0)).toThrow('"thread"');
  });

  it('begins again with the least number behind the greatest', () => {
    const table = new ThreadTable();
    const words = new Int32Array(table.add().table);
    table.end(1);
    words[1024] = 2 ** 30 - 2;
    expect([table.add(), table.add(), table.add()].map(({ thread }) => thread)).toEqual([2 ** 30 - 1, 1, 2]);
  });
});
