/** Who is there and who is gone, with a kernel that is a stand-in: threads start and end as the test says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { AREA_BYTES, MAX_THREADS } from '../../src/process/layout.js';
import { ThreadRecords, type ThreadSystem } from '../../src/process/threads.js';

/** A kernel with threads of its own, and which of them runs. */
class Kernel implements ThreadSystem {
  readonly started = new Map<number, number>();
  running = 0;
  /** Whether `/proc` tells when a thread started. */
  tells = true;
  #clock = 100;

  start(tid: number): void {
    this.started.set(tid, this.#clock++);
    this.running = tid;
  }
  end(tid: number): void {
    this.started.delete(tid);
  }
  ownId(): number {
    return this.running;
  }
  exists(tid: number): boolean {
    return this.started.has(tid);
  }
  startedAt(tid: number): number {
    return this.tells ? (this.started.get(tid) ?? 0) : 0;
  }
}

function clear(records: ThreadRecords): number {
  let cleared = 0;
  for (const index of records.goneRecords()) {
    if (!records.beginClearing(index)) continue;
    records.endClearing(index);
    cleared++;
  }
  return cleared;
}

describe('thread records', () => {
  it('know a thread again, whichever copy of the package it comes from', () => {
    const kernel = new Kernel();
    const area = new ArrayBuffer(AREA_BYTES);
    const copies = [1, 2, 3].map(() => new ThreadRecords(area, kernel));
    for (const tid of [10, 11, 12]) {
      kernel.start(tid);
      const [a, b, c] = copies.map((records) => records.enter());
      expect([b, c]).toEqual([a, a]);
    }
    expect(copies.map((records) => records.numUsed)).toEqual([3, 3, 3]);
  });

  it('take none for threads that the kernel gives no ids', () => {
    const kernel = new Kernel();
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    for (const tid of [10, 11, 12]) {
      kernel.start(tid);
      kernel.running = -1;
      expect(() => records.enter()).toThrow('the kernel does not say which thread this is');
    }
    expect(records.numUsed).toBe(0);
  });

  it('tell a thread from an earlier one with the same id', () => {
    const kernel = new Kernel();
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    kernel.start(10);
    const first = records.enter()!;
    const name = records.idOf(first);
    expect(records.isGone(name)).toBe(false);
    kernel.end(10);
    kernel.start(10);
    expect(records.isGone(name)).toBe(true);
    const second = records.enter()!;
    expect(second).not.toBe(first);
    expect(records.goneRecords()).toEqual([first]);
    expect(clear(records)).toBe(1);
    expect(records.isGone(name)).toBe(true);
    expect(records.isGone(records.idOf(second))).toBe(false);
  });

  it('take nobody for gone of whom too little is known', () => {
    const kernel = new Kernel();
    kernel.tells = false;
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    kernel.start(10);
    const name = records.idOf(records.enter()!);
    kernel.end(10);
    kernel.start(10);
    expect(records.isGone(name)).toBe(false);
    expect(records.goneRecords()).toEqual([]);
  });

  it('give a record to others under another name', () => {
    const kernel = new Kernel();
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    const names = new Set<number>();
    for (let tid = 10; tid < 500; tid++) {
      kernel.start(tid);
      const index = records.enter()!;
      expect(index).toBe(0);
      names.add(records.idOf(index));
      kernel.end(tid);
      kernel.start(9);
      expect(clear(records)).toBe(1);
    }
    expect(names.size).toBe(490);
    expect([...names].every((name) => name > 0 && name < 2 ** 31)).toBe(true);
  });

  it('are let go by a thread that dies while it clears another one away', () => {
    const kernel = new Kernel();
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    kernel.start(10);
    const index = records.enter()!;
    kernel.end(10);
    kernel.start(11);
    expect(records.beginClearing(index)).toBe(true);
    kernel.start(12);
    expect(records.beginClearing(index)).toBe(false);
    kernel.end(11);
    expect(records.beginClearing(index)).toBe(true);
    records.endClearing(index);
    expect(records.beginClearing(index)).toBe(false);
    expect(records.enter()).toBe(index);
  });

  it('are full at some point, and no sooner', () => {
    const kernel = new Kernel();
    const records = new ThreadRecords(new ArrayBuffer(AREA_BYTES), kernel);
    for (let tid = 1; tid <= MAX_THREADS; tid++) {
      kernel.start(tid);
      expect(records.enter()).toBe(tid - 1);
    }
    kernel.start(MAX_THREADS + 1);
    expect(records.enter()).toBeUndefined();
    kernel.end(7);
    expect(clear(records)).toBe(1);
    expect(records.enter()).toBe(6);
  });

  it('sum the mappings of those who live, whatever happens in whatever order', () => {
    const TIDS = [10, 11, 12, 13, 14];
    const step = fc.record({
      kind: fc.constantFrom('start', 'end', 'add', 'clear', 'half-clear'),
      tid: fc.constantFrom(...TIDS),
      mappings: fc.integer({ min: -3, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const kernel = new Kernel();
        const area = new ArrayBuffer(AREA_BYTES);
        const records = new ThreadRecords(area, kernel);
        const live = new Map<number, { index: number; name: number; mappings: number }>();
        /** Ended and not cleared away yet. */
        let left: { name: number; mappings: number }[] = [];
        for (const { kind, tid, mappings } of steps) {
          const thread = live.get(tid);
          if (kind === 'start' && thread === undefined) {
            kernel.start(tid);
            const index = records.enter()!;
            live.set(tid, { index, name: records.idOf(index), mappings: 0 });
          } else if (kind === 'end' && thread !== undefined) {
            kernel.end(tid);
            live.delete(tid);
            left.push(thread);
          } else if (kind === 'add' && thread !== undefined) {
            records.addMappings(thread.index, mappings);
            thread.mappings += mappings;
          } else if (kind.endsWith('clear') && thread !== undefined) {
            kernel.running = tid;
            const gone = records.goneRecords();
            expect(gone).toHaveLength(left.length);
            if (kind === 'clear') {
              expect(clear(records)).toBe(left.length);
              left = [];
            } else for (const index of gone) expect(records.beginClearing(index)).toBe(true);
            if (kind === 'half-clear') for (const index of gone) records.abandonClearing(index);
          }
          const all = [...live.values(), ...left];
          expect(records.mappings).toBe(all.reduce((sum, each) => sum + each.mappings, 0));
          for (const { name } of live.values()) expect(records.isGone(name)).toBe(false);
          for (const { name } of left) expect(records.isGone(name)).toBe(true);
          expect(new Set([...live.values()].map(({ name }) => name)).size).toBe(live.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});
