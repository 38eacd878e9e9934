/**
 * The host's own access to memories, by copying, in one of two ways: through one view a slot, or, in a worker, by the C library. koffi ends
 * the process if a worker is terminated while it makes a view, and a worker may be terminated at any time.
 *
 * What is called here was taken when the module was loaded, and nothing that a caller can replace later is asked for a
 * constructor: `subarray` and `slice` would hand the buffer over to whatever `Symbol.species` says.
 */
import { isMainThread } from 'node:worker_threads';
import { addressOf, createView, detachView, type VirtualMemory } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';
import { asHost } from '../slab/stripes.js';
import type { SlotPages } from './pages.js';
import type { SlotRecords } from './records.js';

function taken<A extends unknown[], R>(owner: object, name: string): (bytes: Uint8Array, ...args: A) => R {
  const property = Object.getOwnPropertyDescriptor(owner, name);
  // eslint-disable-next-line typescript/unbound-method -- bound in the next statement
  const method: unknown = property?.get ?? property?.value;
  return Function.prototype.call.bind(method as () => R) as (bytes: Uint8Array, ...args: A) => R;
}

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object;
const copyInto = taken<[source: Uint8Array, offset?: number], void>(TYPED_ARRAY, 'set');
const fillWith = taken<[value: number, start: number, end: number], void>(TYPED_ARRAY, 'fill');
/** How many bytes there are, whatever a property says that a caller put over the real one. */
export const byteLengthOf = taken<[], number>(TYPED_ARRAY, 'byteLength');
const byteOffsetOf = taken<[], number>(TYPED_ARRAY, 'byteOffset');
const bufferOf = taken<[], ArrayBufferLike>(TYPED_ARRAY, 'buffer');
const keysOf = taken<[], unknown>(TYPED_ARRAY, 'keys');
const Bytes = Uint8Array;

/** The bytes that were checked and no more: those of a shared buffer may become more at any time, by another thread. */
const firstOf = (bytes: Uint8Array, byteLength: number): Uint8Array =>
  new Bytes(bufferOf(bytes), byteOffsetOf(bytes), byteLength);

/** Whether the bytes were transferred away, or lie behind the end of a buffer that became shorter. The engine says so by throwing. */
export function areGone(bytes: Uint8Array): boolean {
  try {
    keysOf(bytes);
    return false;
  } catch {
    return true;
  }
}

/** Copies to and from slots' memories. Ranges were checked: they lie inside the memory's size. */
export interface HostBytes {
  /** Fills `target` from `offset` on. */
  read(slot: number, offset: number, target: Uint8Array, byteLength: number): void;
  /** Writes `bytes` at `offset`. */
  write(slot: number, offset: number, bytes: Uint8Array, byteLength: number): void;
  fill(slot: number, value: number, offset: number, byteLength: number): void;
  /** The slab is about to go. */
  close(): void;
}

/** What is copied from and to. */
interface HostBytesParts {
  readonly pages: SlotPages;
  readonly records: SlotRecords;
  readonly virtualMemory: VirtualMemory;
  readonly numStripes: number;
}

/** The way of the calling thread. */
export function hostBytes(parts: HostBytesParts): HostBytes {
  return isMainThread ? new ViewedBytes(parts) : new CopiedBytes(parts);
}

/**
 * Copies through views that nobody outside ever sees: no caller can keep one, so they need not be taken back when a tenancy ends.
 */
class ViewedBytes implements HostBytes {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #pageBytes: number;
  readonly #striped: boolean;
  /** Made at a slot's first use and kept: a view costs more than the copying. */
  readonly #views = new Map<number, Uint8Array>();

  constructor({ pages, records, virtualMemory, numStripes }: HostBytesParts) {
    this.#pages = pages;
    this.#records = records;
    this.#pageBytes = virtualMemory.pageSize;
    this.#striped = numStripes > 1;
  }

  read(slot: number, offset: number, target: Uint8Array, byteLength: number): void {
    const source = new Bytes(this.#view(slot, offset + byteLength).buffer, offset, byteLength);
    if (this.#striped) asHost(() => copyInto(target, source));
    else copyInto(target, source);
  }

  write(slot: number, offset: number, bytes: Uint8Array, byteLength: number): void {
    const target = this.#view(slot, offset + byteLength);
    const source = firstOf(bytes, byteLength);
    if (this.#striped) asHost(() => copyInto(target, source, offset));
    else copyInto(target, source, offset);
  }

  fill(slot: number, value: number, offset: number, byteLength: number): void {
    const end = offset + byteLength;
    const target = this.#view(slot, end);
    if (this.#striped) asHost(() => fillWith(target, value, offset, end));
    else fillWith(target, value, offset, end);
  }

  close(): void {
    for (const view of this.#views.values()) detachView(view.buffer as ArrayBuffer);
    this.#views.clear();
  }

  /** All that is accessible of the slot, `end` bytes at least. */
  #view(slot: number, end: number): Uint8Array {
    const view = this.#views.get(slot);
    // A longer one is as good: a range that was checked does not reach what is shut.
    if (view !== undefined && end <= view.byteLength) return view;
    const accessibleBytes = this.#records.accessiblePages(slot) * this.#pageBytes;
    if (!(end <= accessibleBytes)) throw new PoolCorruptedError(`slot ${slot} has no byte ${end}`);
    if (view !== undefined) {
      this.#views.delete(slot);
      detachView(view.buffer as ArrayBuffer);
    }
    const fresh = new Bytes(createView(this.#pages.addressFor(slot, accessibleBytes), accessibleBytes));
    this.#views.set(slot, fresh);
    return fresh;
  }
}

/** Up to here, copying twice takes less time than asking where an array's bytes are. */
const BOUNCE_BYTES = 16_384;

/** Bytes of the thread's own at a known address, between memories and arrays. */
let bounce: { readonly bytes: Uint8Array<ArrayBuffer>; readonly address: number } | undefined;

function openBounce(): NonNullable<typeof bounce> {
  if (bounce === undefined) {
    const bytes = new Bytes(BOUNCE_BYTES);
    bounce = { bytes, address: addressOf(bytes) };
  }
  return bounce;
}

/** Copies by address, and makes no view. */
export class CopiedBytes implements HostBytes {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #virtualMemory: VirtualMemory;
  readonly #striped: boolean;

  constructor({ pages, records, virtualMemory, numStripes }: HostBytesParts) {
    this.#pages = pages;
    this.#records = records;
    this.#virtualMemory = virtualMemory;
    this.#striped = numStripes > 1;
  }

  read(slot: number, offset: number, target: Uint8Array, byteLength: number): void {
    const from = this.#addressOf(slot, offset, byteLength);
    if (this.#striped) asHost(() => this.#read(from, target, byteLength));
    else this.#read(from, target, byteLength);
  }

  write(slot: number, offset: number, bytes: Uint8Array, byteLength: number): void {
    const to = this.#addressOf(slot, offset, byteLength);
    if (this.#striped) asHost(() => this.#write(to, bytes, byteLength));
    else this.#write(to, bytes, byteLength);
  }

  fill(slot: number, value: number, offset: number, byteLength: number): void {
    const to = this.#addressOf(slot, offset, byteLength);
    if (this.#striped) asHost(() => this.#fill(to, value, byteLength));
    else this.#fill(to, value, byteLength);
  }

  close(): void {}

  #read(from: number, target: Uint8Array, byteLength: number): void {
    if (byteLength > BOUNCE_BYTES) {
      this.#virtualMemory.copyBytes(from, addressOf(target), byteLength);
      return;
    }
    const { bytes, address } = openBounce();
    this.#virtualMemory.copyBytes(from, address, byteLength);
    copyInto(target, new Bytes(bytes.buffer, 0, byteLength));
  }

  #write(to: number, bytes: Uint8Array, byteLength: number): void {
    if (byteLength > BOUNCE_BYTES) {
      this.#virtualMemory.copyBytes(addressOf(bytes), to, byteLength);
      return;
    }
    const between = openBounce();
    copyInto(between.bytes, firstOf(bytes, byteLength));
    this.#virtualMemory.copyBytes(between.address, to, byteLength);
  }

  #fill(to: number, value: number, byteLength: number): void {
    if (value === 0) {
      this.#virtualMemory.fillZeros(to, byteLength);
      return;
    }
    const { bytes, address } = openBounce();
    fillWith(bytes, value, 0, Math.min(byteLength, BOUNCE_BYTES));
    for (let done = 0; done < byteLength; done += BOUNCE_BYTES)
      this.#virtualMemory.copyBytes(address, to + done, Math.min(byteLength - done, BOUNCE_BYTES));
  }

  #addressOf(slot: number, offset: number, byteLength: number): number {
    const accessibleBytes = this.#records.accessiblePages(slot) * this.#virtualMemory.pageSize;
    // What is not accessible would end the process.
    if (!(offset + byteLength <= accessibleBytes))
      throw new PoolCorruptedError(`slot ${slot} has no byte ${offset + byteLength}`);
    return this.#pages.addressFor(slot, accessibleBytes) + offset;
  }
}
