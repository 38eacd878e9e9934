import { platform, type PageRuns, type VirtualMemory } from '../../src/index.js';
import { PageKind } from '../../src/platform/page-runs.js';
import * as costs from '../../src/restore/costs.js';

/** What something costs on this machine, in nanoseconds, when the engine takes it for `ns`. */
export type Price = (ns: number) => number;

const NONE = 3;
/** Where the pages lie; nothing is there. */
const ADDRESS = 2 ** 40;
/** Of what the engine takes writing back a page for, the walk's part. */
const PASS_ZERO_UNTOLD = (costs.PASS_ZERO * 2) / 3;
const WALK_OWN = costs.WRITE_BACK - costs.COPY;

/**
 * Pages that are counters, with a price for all that is done to them: choices can be judged by what they cost, alike on every machine.
 * Whether a page holds its start bytes is one bit of it.
 */
export class PricedMemory {
  readonly virtualMemory: VirtualMemory;
  readonly range: { readonly address: number; readonly byteLength: number };
  /** Spent so far, by the restores and by the faults of their users. */
  ns = 0;
  /** Pages that do not hold their start bytes. */
  numChanged = 0;
  readonly #pageBytes = platform().pageSize;
  readonly #kinds: Uint8Array;
  readonly #changed: Uint8Array;
  readonly #protected: Uint8Array;
  readonly #imagePages: number;
  readonly #price: Price;
  #watched = false;

  /** @param imagePages - of the first pages, how many are those of a mapped image */
  constructor(numPages: number, imagePages: number, price: Price) {
    this.range = { address: ADDRESS, byteLength: numPages * this.#pageBytes };
    this.#kinds = new Uint8Array(numPages).fill(NONE);
    this.#changed = new Uint8Array(numPages);
    this.#protected = new Uint8Array(numPages);
    this.#imagePages = imagePages;
    this.#price = price;
    this.virtualMemory = this.#make();
  }

  /** A user reads a page. */
  read(page: number): void {
    if (this.#kinds[page] !== NONE) return;
    const isImage = page < this.#imagePages;
    this.#kinds[page] = isImage ? PageKind.FILE : PageKind.ZERO;
    this.#pay(isImage ? costs.FAULT_FILE : costs.FAULT_ZERO);
  }

  /** A user writes a page. */
  write(page: number): void {
    this.#touch(page);
    this.numChanged += 1 - this.#changed[page]!;
    this.#changed[page] = 1;
  }

  /** The page's own bytes are written to, by whomever. */
  #touch(page: number): void {
    if (this.#kinds[page] !== PageKind.OWN) this.#pay(costs.FAULT_OWN);
    else if (this.#protected[page] === 1) this.#pay(costs.WATCH_WRITE);
    this.#kinds[page] = PageKind.OWN;
    this.#protected[page] = 0;
  }

  #pay(ns: number, times = 1): void {
    this.ns += this.#price(ns) * times;
  }

  #pages(address: number, byteLength: number): readonly [number, number] {
    const start = (address - ADDRESS) / this.#pageBytes;
    const end = start + byteLength / this.#pageBytes;
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end <= this.#kinds.length))
      throw new RangeError(`No pages: ${address}, ${byteLength}`);
    return [start, end];
  }

  /** Reports runs of what `kindOf` gives a kind, for what the walk costs a page. */
  #walk(address: number, byteLength: number, into: PageRuns, kindOf: (page: number) => number): void {
    const [start, end] = this.#pages(address, byteLength);
    let last = NONE;
    into.count = 0;
    let page = start;
    for (; page < end; page++) {
      const kind = kindOf(page);
      if (kind !== NONE && kind !== last) {
        if (into.count === into.starts.length) break;
        into.starts[into.count] = ADDRESS + page * this.#pageBytes;
        into.kinds[into.count++] = kind;
      }
      if (kind !== NONE) into.ends[into.count - 1] = ADDRESS + (page + 1) * this.#pageBytes;
      last = kind;
    }
    into.walkEnd = ADDRESS + page * this.#pageBytes;
  }

  #scan(
    address: number,
    byteLength: number,
    into: PageRuns,
    isTold: (page: number) => boolean,
    passZero = costs.PASS_ZERO,
  ): void {
    const passing = [WALK_OWN, passZero, costs.PASS_FILE, costs.PASS_NOTHING];
    this.#pay(costs.SCAN_CALL);
    const counts = [0, 0, 0, 0];
    this.#walk(address, byteLength, into, (page) => {
      const kind = this.#kinds[page]!;
      counts[kind]! += 1;
      return isTold(page) ? kind : NONE;
    });
    counts.forEach((count, kind) => this.#pay(passing[kind]!, count));
  }

  #drop(address: number, byteLength: number): void {
    const [start, end] = this.#pages(address, byteLength);
    for (let page = start; page < end; page++) {
      if (this.#kinds[page] === NONE) continue;
      this.#pay(this.#kinds[page] === PageKind.OWN ? costs.DROP_OWN : costs.DROP);
      this.#kinds[page] = NONE;
      // Over a file a mark stays; where there is none, the walk for written pages says so.
      if (page >= this.#imagePages) this.#protected[page] = 0;
      this.#restored(page);
    }
  }

  #restored(page: number): void {
    this.numChanged -= this.#changed[page]!;
    this.#changed[page] = 0;
  }

  #put(address: number, byteLength: number): void {
    const [start, end] = this.#pages(address, byteLength);
    for (let page = start; page < end; page++) {
      this.#touch(page);
      this.#restored(page);
    }
    this.#pay(costs.COPY, end - start);
  }

  #protect(isOn: boolean, address: number, byteLength: number): void {
    const [start, end] = this.#pages(address, byteLength);
    this.#watched = isOn;
    this.#protected.fill(isOn ? 1 : 0, start, end);
    this.#pay(costs.WATCH_CHANGE / 2, end - start);
  }

  #make(): VirtualMemory {
    const calls: Partial<VirtualMemory> = {
      pageSize: this.#pageBytes,
      canScanDirtyPages: true,
      canWatchWrites: true,
      decommit: (address, byteLength) => {
        this.#pay(costs.DROP_CALL);
        this.#drop(address, byteLength);
      },
      decommitMany: (addresses, byteLengths, count) => {
        this.#pay(costs.DROP_CALL);
        for (let i = 0; i < count; i++) this.#drop(addresses[i]!, byteLengths[i]!);
      },
      scanPages: (address, byteLength, into) =>
        this.#scan(address, byteLength, into, (page) => this.#protected[page] === 0),
      scanOwnPages: (address, byteLength, into) =>
        this.#scan(address, byteLength, into, (page) => this.#kinds[page] === PageKind.OWN, PASS_ZERO_UNTOLD),
      scanUnwrittenPages: (address, byteLength, into) =>
        this.#scan(
          address,
          byteLength,
          into,
          (page) => this.#kinds[page] === PageKind.OWN && this.#protected[page] === 1,
        ),
      scanWrittenPages: (address, byteLength, into) => {
        this.#pay(costs.SCAN_CALL);
        this.#pay(costs.WATCH_PASS / 2, byteLength / this.#pageBytes);
        this.#walk(address, byteLength, into, (page) =>
          this.#protected[page] === 0 && this.#kinds[page] !== NONE ? PageKind.OWN : NONE,
        );
      },
      protectWrittenPages: (address, byteLength) => {
        const [start, end] = this.#pages(address, byteLength);
        if (!this.#watched) throw new Error('Protected without being watched');
        this.#pay(costs.SCAN_CALL);
        this.#pay(costs.WATCH_PASS / 2, end - start);
        this.#protected.fill(1, start, end);
      },
      watchWrites: (address, byteLength) => this.#protect(true, address, byteLength),
      unwatchWrites: (address, byteLength) => this.#protect(false, address, byteLength),
      copyBytes: (_, to, byteLength) => this.#put(to, byteLength),
      fillZeros: (address, byteLength) => this.#put(address, byteLength),
      sameBytes: (address, _, byteLength) => {
        this.#pay(costs.COMPARE);
        return this.#changed[this.#pages(address, byteLength)[0]] === 0;
      },
    };
    // What is not priced is not called.
    return calls as VirtualMemory;
  }
}
