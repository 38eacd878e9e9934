/**
 * Who holds a slot: one word a slot, and the one that decides. All else that is known of a slot is either said by its record,
 * which is true whenever this word says that the slot is free, or follows from both and can be made again.
 *
 * ```
 *  bit 31   handed over: freed by the thread below, and not on the shard's lists yet
 *  bit 30   unknown: a thread ended while it held the slot, so nobody can say what is in it
 *  0 to 29  the thread that holds it; 0 for a slot that is free
 * ```
 */

/** The slot was freed by the thread that the word still names. It is the word's sign. */
export const HANDED = -0x8000_0000;
/** What is in the slot is unknown; stays with the slot until the next holder frees it. */
export const UNKNOWN = 0x4000_0000;
/** The part of the word that names a thread. */
export const THREAD_MASK = 0x3fff_ffff;

/** Whether a thread holds the slot and has not freed it. */
export function isHeld(holder: number): boolean {
  return holder > 0 && (holder & THREAD_MASK) !== 0;
}

/** Whether this very thread holds the slot and has not freed it. */
export function isHeldBy(holder: number, thread: number): boolean {
  return (holder & ~UNKNOWN) === thread;
}
