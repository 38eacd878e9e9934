/**
 * Address ranges whose memory is gone and that nobody else may get yet. Zero pages lie there: what was started with a view before
 * reads zeros, and writes where nobody reads.
 *
 * - *Cooling*: until the views that were out are collected. It costs address space and no memory, except what a late
 *   writer touches.
 * - *Retired*: for as long as the process lives, because a view was stolen.
 */

import { size } from '@guardstripe/common';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import { keepForGood } from '../process/owned.js';
import type { ViewsLeft } from './ledger.js';

/** What this thread's maps withhold from being mapped again. See {@link withheldAddresses}. */
export interface WithheldAddresses {
  /** Ranges that wait for the collection of views. */
  readonly coolingRanges: number;
  readonly coolingBytes: number;
  /** Ranges that never come back: a view was transferred away, or that could not be ruled out. */
  readonly retiredRanges: number;
  readonly retiredBytes: number;
}

const counts = { coolingRanges: 0, coolingBytes: 0, retiredRanges: 0, retiredBytes: 0 };

/**
 * How much address space the closed and moved maps of this thread still hold, because views of them may be in use: bytes of
 * addresses, not of memory. It shrinks between turns of the event loop, after the engine has collected the views.
 */
export function withheldAddresses(): WithheldAddresses {
  return { ...counts };
}

/** Who may still reach an address range: what the ledger said each time its views ended there. */
export class Reach {
  #numHeld = 0;
  #stolen = false;
  #waiting: (() => void)[] = [];

  get isStolen(): boolean {
    return this.#stolen;
  }

  /** Whether nobody reaches the range any more, but for views that have not ended. */
  get isFree(): boolean {
    return this.#numHeld === 0 && !this.#stolen;
  }

  /** Books the end of views; `end` is a method of a ledger, which is to be told whom to call. */
  book(end: (whenCollected: () => void) => ViewsLeft): void {
    const left = end(() => this.#collected());
    if (left === 'held') this.#numHeld += 1;
    if (left === 'stolen') this.#stolen = true;
  }

  /** Calls once when the range is free; never if a view was stolen. */
  whenFree(call: () => void): void {
    this.#waiting.push(call);
  }

  #collected(): void {
    this.#numHeld -= 1;
    if (!this.isFree) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call();
  }
}

/**
 * Takes a range out of use: drops what is mapped there at once, and gives the addresses back when `reach` allows. Nobody else can
 * get the range in between.
 *
 * @throws {@link SystemError} if the system refuses. Everything is as it was then.
 */
export function giveBack(
  virtualMemory: VirtualMemory,
  address: number,
  byteLength: number,
  reach: Reach,
): void {
  if (reach.isFree) {
    virtualMemory.unmap(address, byteLength);
    return;
  }
  layZeros(virtualMemory, address, byteLength);
  withhold(virtualMemory, address, byteLength, reach);
}

/** Who gives a range back in the end. */
type Unmapping = Pick<VirtualMemory, 'unmap'>;

/** Books a range, where nothing of worth lies any more, as cooling or retired. */
export function withhold(virtualMemory: Unmapping, address: number, byteLength: number, reach: Reach): void {
  if (reach.isStolen) {
    retire(virtualMemory, address, byteLength);
    warnOfTheft(byteLength);
    return;
  }
  counts.coolingRanges += 1;
  counts.coolingBytes += byteLength;
  reach.whenFree(() => {
    try {
      virtualMemory.unmap(address, byteLength);
    } catch {
      // Nobody is there to be told. It stays counted, and nobody else's.
      return;
    }
    counts.coolingRanges -= 1;
    counts.coolingBytes -= byteLength;
  });
}

/** Drops what is mapped in a range whose views died unseen, and keeps the addresses for good. */
export function abandon(virtualMemory: VirtualMemory, address: number, byteLength: number): void {
  layZeros(virtualMemory, address, byteLength);
  retire(virtualMemory, address, byteLength);
}

/** Fresh pages over whatever was mapped in a range; in one step, so that the range is never free. */
export function layZeros(virtualMemory: VirtualMemory, address: number, byteLength: number): void {
  try {
    virtualMemory.mapZeros(address, byteLength, 'read-write');
  } catch {
    // Where the system promises no more than it has (vm.overcommit_memory=2), pages without access cost no promise. A late
    // operation ends in EFAULT then, a late foreign function in SIGSEGV: not in somebody else's memory.
    virtualMemory.mapZeros(address, byteLength, 'none');
  }
}

/** Books a range as nobody's for good. */
export function retire(virtualMemory: Unmapping, address: number, byteLength: number): void {
  keepForGood(virtualMemory, address, byteLength);
  counts.retiredRanges += 1;
  counts.retiredBytes += byteLength;
}

let warned = false;

function warnOfTheft(byteLength: number): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    `A view of mapped memory was transferred away: ${size(byteLength)} of addresses are never used again`,
    {
      code: 'GUARDSTRIPE_MMAP_VIEW_STOLEN',
      detail:
        'Byte streams (ReadableStream of type "bytes", BYOB readers) and ArrayBuffer.prototype.transfer.call take the bytes ' +
        'of a view away from it: give them a copy. Further ranges are retired without a warning.',
    },
  );
}
