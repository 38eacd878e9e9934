/**
 * The host's own access to memories, by copying. It goes through one view a slot that nobody outside ever sees: no caller can keep it,
 * so it need not be taken back when a tenancy ends.
 *
 * What is called here was taken when the module was loaded, and nothing that a caller can replace later is asked for a
 * constructor: `subarray` and `slice` would hand the buffer over to whatever `Symbol.species` says.
 */
import { createView, detachView } from '@guardstripe/mmap';
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
const keysOf = taken<[], unknown>(TYPED_ARRAY, 'keys');
const Bytes = Uint8Array;

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
export class HostBytes {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #pageBytes: number;
  readonly #striped: boolean;
  /** Made at a slot's first use and kept: a view costs more than the copying. */
  readonly #views = new Map<number, Uint8Array>();

  constructor(pages: SlotPages, records: SlotRecords, pageBytes: number, striped: boolean) {
    this.#pages = pages;
    this.#records = records;
    this.#pageBytes = pageBytes;
    this.#striped = striped;
  }

  /** Fills `target` from `offset` on. */
  read(slot: number, offset: number, target: Uint8Array, byteLength: number): void {
    const source = new Bytes(this.#view(slot, offset + byteLength).buffer, offset, byteLength);
    if (this.#striped) asHost(() => copyInto(target, source));
    else copyInto(target, source);
  }

  /** Writes `bytes` at `offset`. */
  write(slot: number, offset: number, bytes: Uint8Array, byteLength: number): void {
    const target = this.#view(slot, offset + byteLength);
    if (this.#striped) asHost(() => copyInto(target, bytes, offset));
    else copyInto(target, bytes, offset);
  }

  fill(slot: number, value: number, offset: number, byteLength: number): void {
    const end = offset + byteLength;
    const target = this.#view(slot, end);
    if (this.#striped) asHost(() => fillWith(target, value, offset, end));
    else fillWith(target, value, offset, end);
  }

  /** Detaches the views: the slab is about to go. */
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
