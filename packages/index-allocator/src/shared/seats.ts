/** Who is attached, and what is done about those that have ended. */
import { TooManyThreadsError } from '../errors.js';
import { callFirst, firstInLine, isLine } from './line.js';
import { reclaimFrom } from './sections.js';
import { seatAt } from './shape.js';
import { MAX_SEATS, SEAT_THREAD, SEAT_TICKET, SEATS_USED } from './words.js';
import type { Shard } from './shard.js';
import type { Me } from '../threads/threads.js';

/** Takes a free seat for the calling thread; -1 if there is none. */
function takeSeat(head: Int32Array, thread: number): number {
  for (let seat = 0; seat < MAX_SEATS; seat++) {
    if (Atomics.compareExchange(head, seatAt(seat) + SEAT_THREAD, 0, thread) !== 0) continue;
    let used = Atomics.load(head, SEATS_USED);
    while (used <= seat && Atomics.compareExchange(head, SEATS_USED, used, seat + 1) !== used) {
      used = Atomics.load(head, SEATS_USED);
    }
    // Whoever sat here before may have ended in line: then the calls came here until now.
    Atomics.store(head, seatAt(seat) + SEAT_TICKET, 0);
    callFirst(head);
    return seat;
  }
  return -1;
}

/** Takes a seat, if need be that of a dead thread. Throws if there is none. */
export function sitDown(head: Int32Array, shards: readonly Shard[], me: Me): number {
  let seat = takeSeat(head, me.self);
  if (seat === -1) {
    buryDead(head, shards, me);
    seat = takeSeat(head, me.self);
  }
  if (seat === -1) throw new TooManyThreadsError(MAX_SEATS);
  return seat;
}

/** Gives up a seat, and with the thread's last seat what the thread still holds. Returns -1, which is no seat, and is left at once. */
export function leaveSeat(head: Int32Array, seat: number, shards: readonly Shard[], me: Me): number {
  if (seat === -1) return -1;
  // A call that was cut short has left it: another thread may sit there by now.
  if (Atomics.load(head, seatAt(seat) + SEAT_THREAD) === me.self) {
    Atomics.store(head, seatAt(seat) + SEAT_TICKET, 0);
    if (!sitsElsewhere(head, seat, me.self)) {
      for (const shard of shards) reclaimFrom(shard, me, me.self);
    }
    Atomics.store(head, seatAt(seat) + SEAT_THREAD, 0);
  }
  callFirst(head);
  return -1;
}

/** Takes away what threads held that have ended; returns the number of slots that came back. */
export function buryDead(head: Int32Array, shards: readonly Shard[], me: Me): number {
  let numSlots = 0;
  let numBuried = 0;
  for (let seat = 0; seat < Atomics.load(head, SEATS_USED); seat++) {
    const at = seatAt(seat) + SEAT_THREAD;
    const thread = Atomics.load(head, at);
    if (thread === 0 || thread === me.self || me.isAlive(thread)) continue;
    for (const shard of shards) numSlots += reclaimFrom(shard, me, thread);
    // Last: ending before, this thread leaves the dead one to the next that looks.
    Atomics.compareExchange(head, at, thread, 0);
    numBuried++;
  }
  if (numBuried > 0) callFirst(head);
  return numSlots;
}

/** Whether somebody who is still there waits, so that who does not wait would overtake. */
export function isOvertaking(head: Int32Array, shards: readonly Shard[], me: Me): boolean {
  if (!isLine(head)) return false;
  const first = firstInLine(head);
  if (first === -1) return false;
  const thread = Atomics.load(head, seatAt(first) + SEAT_THREAD);
  if (thread === 0 || thread === me.self || me.isAlive(thread)) return true;
  buryDead(head, shards, me);
  return firstInLine(head) !== -1;
}

function sitsElsewhere(head: Int32Array, seat: number, thread: number): boolean {
  for (let other = 0; other < Atomics.load(head, SEATS_USED); other++) {
    if (other !== seat && Atomics.load(head, seatAt(other) + SEAT_THREAD) === thread) return true;
  }
  return false;
}
