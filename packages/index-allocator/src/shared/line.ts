/**
 * The waiting line of all threads: first come, first served, by the numbers that the waiters draw. Each thread keeps its own
 * waiters, and shows the number of the first of them at its seat; the lowest number of all seats is the first in line.
 *
 * No lock guards it. A seat's ticket is written by its thread alone, and what holds is this: whoever frees a slot, and whoever
 * stops being the first, calls the first, *after* the change. Whoever stands in line tries once *after* that. So of a free slot
 * and a waiter at least one sees the other. Where a thread ends between a change and its call, the others find out when their
 * patience ends.
 */
import { seatAt } from './shape.js';
import { LINE_WORD, NEXT_TICKET, SEAT_CALL, SEAT_THREAD, SEAT_TICKET, SEATS_USED } from './words.js';

/** Draws a number; never 0. They wrap around, and are compared by their difference. */
export function drawTicket(head: Int32Array): number {
  for (;;) {
    const ticket = (Atomics.add(head, NEXT_TICKET, 1) + 1) | 0;
    if (ticket !== 0) return ticket;
  }
}

/** Shows the number of the seat's first waiter. The caller then tries once. */
export function standInLine(head: Int32Array, seat: number, ticket: number): void {
  Atomics.store(head, seatAt(seat) + SEAT_TICKET, ticket);
  // Behind it, and a number that was never there: whoever cleared the word before has seen no ticket, and who would clear it
  // now has to find the number that was there when the look began.
  Atomics.store(head, LINE_WORD, ticket);
}

/** Shows the number of the next waiter, 0 for none, and calls whoever is the first now. */
export function moveOn(head: Int32Array, seat: number, nextTicket: number): void {
  Atomics.store(head, seatAt(seat) + SEAT_TICKET, nextTicket);
  callFirst(head);
}

/**
 * Whether somebody may be waiting. Not an atomic read, which would cost as much as the rest of a call: it is for those who have had the
 * lock of a shard in hand since what they changed. A waiter that did not find their slot had that lock before them, and the word
 * was written before that.
 */
export function isLine(head: Int32Array): boolean {
  return head[LINE_WORD] !== 0;
}

/** The same for those who changed something without a lock. */
export function isLineNow(head: Int32Array): boolean {
  return Atomics.load(head, LINE_WORD) !== 0;
}

/** The seat of the first in line, -1 if nobody waits. */
export function firstInLine(head: Int32Array): number {
  const somebody = Atomics.load(head, LINE_WORD);
  const used = Atomics.load(head, SEATS_USED);
  let first = -1;
  let lowest = 0;
  for (let seat = 0; seat < used; seat++) {
    const at = seatAt(seat);
    const ticket = Atomics.load(head, at + SEAT_TICKET);
    if (ticket === 0 || Atomics.load(head, at + SEAT_THREAD) === 0) continue;
    if (first !== -1 && ((ticket - lowest) | 0) >= 0) continue;
    first = seat;
    lowest = ticket;
  }
  if (first === -1) Atomics.compareExchange(head, LINE_WORD, somebody, 0);
  return first;
}

/** What the first waiter of a seat does whenever it may be its turn: tries, if nobody is before it; -1 if it goes on waiting. */
export function tryInTurn(head: Int32Array, seat: number, attempt: () => number): number {
  // Whoever is the first calls this seat when it stops being that.
  return firstInLine(head) === seat ? attempt() : -1;
}

/** Tells the first in line that it may be its turn. */
export function callFirst(head: Int32Array): void {
  const first = firstInLine(head);
  if (first !== -1) callSeat(head, first);
}

/** Wakes the thread of a seat. */
export function callSeat(head: Int32Array, seat: number): void {
  const at = seatAt(seat) + SEAT_CALL;
  Atomics.add(head, at, 1);
  Atomics.notify(head, at);
}
