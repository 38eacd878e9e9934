/** Who has a shared pool: by a gate that outlives whoever dies in it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Attachments } from '../../src/shared/attachments.js';
import { GATE_WORD, MAX_SEATS, SEAT_WORDS } from '../../src/shared/state.js';

/** Threads 1, 2, 3 … of which some have died. */
function threads() {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const seats = new Int32Array(new SharedArrayBuffer(MAX_SEATS * SEAT_WORDS * 4));
  const dead = new Set<number>();
  const as = (self: number) =>
    new Attachments({ words, seats }, { self, isAlive: (thread) => !dead.has(thread) });
  return { words, dead, as };
}

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

describe('attachments', () => {
  it.each([0, -1, Number.NaN])('are none of thread %d, which would pass for nobody', (self) => {
    expect(() => threads().as(self)).toThrow(CORRUPTED);
  });

  it('are given up by who has them alone, and stay as they were where another one tries', () => {
    const { as } = threads();
    const [one, two] = [as(1).enter(0), as(2).enter(7)];
    for (const seat of [one, two + 1]) expect(() => as(2).leave(seat)).toThrow(CORRUPTED);
    expect(
      as(1)
        .living()
        .map(({ seat }) => seat),
    ).toEqual([one, two]);
    expect(as(2).leave(two)).toBe(false);
    expect(() => as(2).leave(two)).toThrow(CORRUPTED);
    expect(as(1).leave(one)).toBe(true);
  });

  it('do not wait for a thread whose number is none', () => {
    const { as, words } = threads();
    words[GATE_WORD] = -7;
    expect(() => as(1).enter(0)).toThrow(CORRUPTED);
    expect(words[GATE_WORD]).toBe(-7);
  });

  it('tell the last one that leaves, and let nobody in behind it', () => {
    const { as } = threads();
    const [one, two] = [as(1).enter(0), as(2).enter(7)];
    expect(as(1).living()).toEqual([
      { seat: one, threadId: 0 },
      { seat: two, threadId: 7 },
    ]);
    expect(as(1).leave(one)).toBe(false);
    expect(as(1).enter(0)).toBe(one);
    expect(as(2).leave(two)).toBe(false);
    expect(as(1).leave(one)).toBe(true);
    expect(() => as(3).enter(9)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CLOSED' }));
    expect(as(1).leave(one)).toBe(false);
  });

  it('refuse a thread that has the pool', () => {
    const { as } = threads();
    as(1).enter(0);
    expect(() => as(1).enter(0)).toThrow(expect.objectContaining({ code: 'ERR_POOL_ATTACH' }));
    expect(as(1).living()).toHaveLength(1);
  });

  it('give the seats of the dead to others, and refuse when all are taken by the living', () => {
    const { as, dead } = threads();
    for (let thread = 1; thread <= MAX_SEATS; thread++) as(thread).enter(thread);
    expect(() => as(5000).enter(0)).toThrow(/1024 threads are attached/);
    dead.add(700);
    expect(as(5000).enter(0)).toBe(699);
    expect(as(1).ended).toBe(1);
  });

  it('tell of each that ended once, whoever looks, and count it', () => {
    const { as, dead } = threads();
    for (const thread of [1, 2, 3, 4]) as(thread).enter(thread * 10);
    expect(as(1).bury(() => 'nobody')).toEqual([]);
    dead.add(2).add(4);
    const told = as(1).bury(({ seat, threadId }) => ({ seat, threadId }));
    expect(told).toEqual([
      { seat: 1, threadId: 20 },
      { seat: 3, threadId: 40 },
    ]);
    expect(as(3).bury(() => 'again')).toEqual([]);
    expect(as(3).ended).toBe(2);
    // The one that looks is overtaken by another one.
    dead.add(3);
    expect(as(1).bury(() => as(5).bury(() => 'first'))).toEqual([]);
    expect(as(1).ended).toBe(3);
    expect(as(6).enter(60)).toBe(1);
  });

  it('go on where a thread died at the gate', () => {
    const { as, dead, words } = threads();
    as(1).enter(0);
    const seat = as(2).enter(1);
    words[GATE_WORD] = 1;
    dead.add(1);
    expect(as(2).leave(seat)).toBe(true);
  });

  it('go on where an own call was broken off at the gate', () => {
    const { as, words } = threads();
    words[GATE_WORD] = 1;
    expect(as(1).enter(0)).toBe(0);
  });

  it('say "last" exactly once, whoever comes, leaves and dies in whatever order', () => {
    const step = fc.record({
      thread: fc.integer({ min: 1, max: 4 }),
      what: fc.constantFrom('enter', 'leave', 'die'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { as, dead } = threads();
        const seats = new Map<number, number>();
        let isClosed = false;
        for (const { thread, what } of steps) {
          if (dead.has(thread)) continue;
          if (what === 'die') dead.add(thread);
          else if (what === 'enter' && !seats.has(thread)) {
            if (isClosed) expect(() => as(thread).enter(thread)).toThrow(/closed/);
            else seats.set(thread, as(thread).enter(thread));
          } else if (what === 'leave' && seats.has(thread)) {
            const isLast = as(thread).leave(seats.get(thread)!);
            seats.delete(thread);
            const others = [...seats.keys()].filter((each) => !dead.has(each));
            expect(isLast).toBe(others.length === 0);
            isClosed ||= isLast;
          }
        }
      }),
    );
  });
});
