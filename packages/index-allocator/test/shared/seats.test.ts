/** Seats and the line of those who sit there, on a head of its own without any shards. */
import { beforeEach, describe, expect, it } from 'vitest';

import { callFirst, drawTicket, firstInLine, moveOn, standInLine } from '../../src/shared/line.js';
import { buryDead, isOvertaking, leaveSeat, sitDown } from '../../src/shared/seats.js';
import { seatAt } from '../../src/shared/shape.js';
import {
  LINE_WORD,
  MAX_SEATS,
  NEXT_TICKET,
  SEAT_CALL,
  SEAT_THREAD,
  SEAT_TICKET,
  SEATS_USED,
} from '../../src/shared/words.js';

let head: Int32Array;
let dead: Set<number>;
let asked: number[];

beforeEach(() => {
  head = new Int32Array(new SharedArrayBuffer(4 * seatAt(MAX_SEATS)));
  dead = new Set();
  asked = [];
});

function me(self: number) {
  const isAlive = (thread: number): boolean => {
    asked.push(thread);
    return !dead.has(thread);
  };
  return { self, isAlive, spins: 0, locks: { waits: 0, takeovers: 0 } };
}

/** The threads 1, 2, ... sit down; returns their seats. */
function seat(numThreads: number): number[] {
  return Array.from({ length: numThreads }, (_, index) => sitDown(head, [], me(index + 1)));
}

function wait(atSeat: number): void {
  standInLine(head, atSeat, drawTicket(head));
}

/** How often each of the first three seats was called. */
function calls(): number[] {
  return [0, 1, 2].map((each) => head[seatAt(each) + SEAT_CALL]!);
}

function threads(): number[] {
  return [0, 1, 2].map((each) => head[seatAt(each) + SEAT_THREAD]!);
}

describe('a seat', () => {
  it('is the first that is free; how many were ever taken is counted once', () => {
    expect(seat(3)).toEqual([0, 1, 2]);
    leaveSeat(head, 1, [], me(2));
    expect(threads()).toEqual([1, 0, 3]);
    expect(sitDown(head, [], me(9))).toBe(1);
    expect([threads(), head[SEATS_USED]]).toEqual([[1, 9, 3], 3]);
  });

  it('whose thread ended in line and was buried is not in line for the next, and who is first is called', () => {
    seat(3);
    wait(0);
    wait(2);
    dead.add(1);
    buryDead(head, [], me(2));
    const before = calls()[2]!;
    expect(sitDown(head, [], me(9))).toBe(0);
    expect(head[seatAt(0) + SEAT_TICKET]).toBe(0);
    expect([firstInLine(head), calls()[2]]).toEqual([2, before + 1]);
  });

  it('that is left is not in line any more, and who is first then is called', () => {
    seat(3);
    wait(0);
    wait(2);
    leaveSeat(head, 0, [], me(1));
    expect([threads(), firstInLine(head), calls()]).toEqual([[0, 2, 3], 2, [0, 0, 1]]);
    expect(head[seatAt(0) + SEAT_TICKET]).toBe(0);
  });

  it('that a call has left which was cut short is left alone by the next, whoever sits there', () => {
    seat(3);
    leaveSeat(head, 1, [], me(2));
    sitDown(head, [], me(9));
    wait(1);
    leaveSeat(head, 1, [], me(2));
    expect([threads(), firstInLine(head)]).toEqual([[1, 9, 3], 1]);
  });
});

describe('who has ended', () => {
  it('is asked after where somebody sits, but for oneself; its seat is free, and who is first is called', () => {
    seat(3);
    leaveSeat(head, 0, [], me(1));
    wait(1);
    dead.add(3);
    expect(buryDead(head, [], me(2))).toBe(0);
    expect([asked, threads(), calls()]).toEqual([[3], [0, 2, 0], [0, 1, 0]]);
  });

  it('is nobody: then nobody is called', () => {
    seat(3);
    wait(1);
    buryDead(head, [], me(1));
    expect([threads(), calls()]).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
  });
});

describe('whoever does not wait overtakes', () => {
  it('nobody where nobody stands in line, and then the line is known to be empty', () => {
    seat(3);
    expect(isOvertaking(head, [], me(1))).toBe(false);
    head[LINE_WORD] = 7;
    expect(isOvertaking(head, [], me(1))).toBe(false);
    expect(head[LINE_WORD]).toBe(0);
  });

  it.each([1, 2])('waiters of thread %i that lives', (self) => {
    seat(3);
    wait(1);
    expect(isOvertaking(head, [], me(self))).toBe(true);
    expect(asked).toEqual(self === 2 ? [] : [2]);
  });

  it('no dead one, but those behind it', () => {
    seat(3);
    wait(1);
    dead.add(2);
    expect(isOvertaking(head, [], me(1))).toBe(false);
    expect(threads()).toEqual([1, 0, 3]);
    sitDown(head, [], me(4));
    wait(1);
    wait(2);
    dead.add(4);
    expect(isOvertaking(head, [], me(1))).toBe(true);
    expect([threads(), firstInLine(head)]).toEqual([[1, 0, 3], 2]);
  });
});

describe('the line', () => {
  it('goes by the numbers drawn, also where they wrap around, and none is 0', () => {
    seat(3);
    head[NEXT_TICKET] = 0x7fff_ffff;
    wait(2);
    wait(0);
    expect(firstInLine(head)).toBe(2);
    moveOn(head, 2, 0);
    expect([firstInLine(head), calls()]).toEqual([0, [1, 0, 0]]);
    head[NEXT_TICKET] = -1;
    expect(drawTicket(head)).not.toBe(0);
    head[NEXT_TICKET] = -2;
    wait(1);
    wait(2);
    expect([head[seatAt(1) + SEAT_TICKET], head[seatAt(2) + SEAT_TICKET]]).toEqual([-1, 1]);
  });

  it('of nobody: a call changes nothing', () => {
    seat(3);
    const before = head.slice();
    callFirst(head);
    expect(head).toEqual(before);
  });
});
