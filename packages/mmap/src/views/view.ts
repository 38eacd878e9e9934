/**
 * Array buffers over mapped memory, and taking them away again.
 *
 * A view that outlives its memory is a use-after-free that JavaScript can reach, so whoever hands one out must be able
 * to revoke it: `ArrayBuffer.prototype.transfer` detaches it in place. The same method in other hands makes an alias that
 * nobody can revoke. A view's own prototype therefore refuses it; what takes the intrinsic all the same (byte streams
 * do) is a thief, and is known by a view that is detached although we never detached it.
 *
 * What we know of a view hangs on the buffer as a private field: no caller can read, change or copy it, whatever he does to the
 * buffer's properties and prototypes, and it goes when the buffer is collected.
 */

import {
  bytesOutOfRange,
  checkBytes,
  invalidArgType,
  invalidArgValue,
  isInstance,
} from '@guardstripe/common';
import { inspect } from 'node:util';

import { ViewNotDetachableError, ViewUnsupportedError } from '../errors.js';
import { ffi } from '../platform/ffi.js';

/** What is known of a view. Lives as long as the buffer. */
export interface ViewRecord {
  /** Set before this package detaches the view: a view detached without it was stolen. */
  detachedByUs: boolean;
  /** What must live as long as the view: the views of one tenancy share one. */
  readonly cohort: object | undefined;
}

/** What became of a view that was to be detached. */
export type DetachOutcome = 'detached' | 'stolen' | 'undetachable';

/** A constructor that returns its argument, so that a subclass puts its private field on an object that is there already. */
const Itself = function (object: object): object {
  return object;
} as unknown as new (object: object) => object;

class Branded extends Itself {
  readonly #record: ViewRecord;

  constructor(view: ArrayBuffer, record: ViewRecord) {
    super(view);
    this.#record = record;
  }

  static recordOf(value: unknown): ViewRecord | undefined {
    return typeof value === 'object' && value !== null && #record in value ? value.#record : undefined;
  }
}

/** The record of a view; nothing for anything else. */
export const recordOf = (value: unknown): ViewRecord | undefined => Branded.recordOf(value);

/** Taken at load time: a later patch of the prototype must not be able to keep views alive. */
function taken<A extends unknown[], R>(name: keyof ArrayBuffer): (view: ArrayBuffer, ...args: A) => R {
  const property: { get?: unknown; value?: unknown } | undefined = Object.getOwnPropertyDescriptor(
    ArrayBuffer.prototype,
    name,
  );
  const method = property?.get ?? property?.value;
  return Function.prototype.call.bind(method as () => R) as (view: ArrayBuffer, ...args: A) => R;
}

const transfer = taken<[byteLength: number], ArrayBuffer>('transfer');
const isDetached = taken<[], boolean>('detached');
const byteLengthOf = taken<[], number>('byteLength');

/** Whether a view still shows its memory. Asks the engine, not a property that a caller can put over it. */
export const isAttached = (view: ArrayBuffer): boolean => !isDetached(view);

function refuseTransfer(): never {
  throw Object.assign(
    new TypeError('A view of mapped memory cannot be transferred: its owner must be able to detach it'),
    { code: 'ERR_VIEW_NOT_TRANSFERABLE' },
  );
}

/** Without the bytes: a view may lie over pages that end the process when they are read. */
function inspectView(this: ArrayBuffer): string {
  return isDetached(this)
    ? 'ArrayBuffer { (mapped memory, detached), byteLength: 0 }'
    : `ArrayBuffer { (mapped memory), byteLength: ${byteLengthOf(this)} }`;
}

/**
 * Between a view and `ArrayBuffer.prototype`: one object for all views, which takes a third of the time of properties of
 * their own.
 */
const VIEW_PROTOTYPE: object = Object.freeze(
  Object.create(ArrayBuffer.prototype, {
    transfer: { value: refuseTransfer },
    transferToFixedLength: { value: refuseTransfer },
    // Node 26 has it behind --js-immutable-arraybuffer: a buffer made immutable cannot be detached again.
    transferToImmutable: { value: refuseTransfer },
    [inspect.custom]: { value: inspectView },
  }) as object,
);

let viewMemory: ((address: number, byteLength: number) => ArrayBuffer) | undefined;

/** {@link createView} with a record of the caller's, and without checks. */
export function makeView(address: number, byteLength: number, record: ViewRecord): ArrayBuffer {
  const view = byteLength === 0 ? new ArrayBuffer(0) : viewOf(address, byteLength);
  Object.setPrototypeOf(view, VIEW_PROTOTYPE);
  // eslint-disable-next-line no-new -- puts the record on the view
  new Branded(view, record);
  return view;
}

function viewOf(address: number, byteLength: number): ArrayBuffer {
  viewMemory ??= ffi().view;
  try {
    return viewMemory(address, byteLength);
  } catch (error) {
    throw new ViewUnsupportedError(error);
  }
}

/** Detaches a view of ours if it still is attached. Never throws: an owner goes on to the next view. */
export function takeBack(view: ArrayBuffer, record: ViewRecord): DetachOutcome {
  if (isDetached(view)) return record.detachedByUs ? 'detached' : 'stolen';
  try {
    transfer(view, 0);
  } catch {
    // worker_threads.markAsUntransferable does this from Node 24 on. Nobody else can transfer it either.
    return 'undetachable';
  }
  record.detachedByUs = true;
  return 'detached';
}

/**
 * Makes an array buffer over `byteLength` bytes at `address`; both in bytes, of any alignment. The caller owns the
 * memory and must {@link detachView} before it goes away: touching an unmapped or inaccessible byte ends the process.
 * A length of 0 gives an empty buffer over nothing. Views cannot be transferred or posted to another thread.
 *
 * Detaching does not stop what was started with the view before: a pending `fs.read` keeps the address. Only the
 * collection of the view proves that nobody has it; {@link Mmap} waits for that, here it is the caller's business.
 *
 * @throws {@link ViewUnsupportedError} in runtimes without external array buffers (Electron).
 */
export function createView(address: number, byteLength: number): ArrayBuffer {
  checkBytes(address, 'address');
  checkBytes(byteLength, 'byteLength');
  if (address === 0) throw bytesOutOfRange('address', 'above 0', address);
  if (byteLength > Number.MAX_SAFE_INTEGER - address) {
    throw bytesOutOfRange('byteLength', 'such that the end of the range is a safe integer', byteLength);
  }
  return makeView(address, byteLength, { detachedByUs: false, cohort: undefined });
}

/**
 * Detaches a view that {@link createView} made: its length becomes 0 and every typed array over it reads nothing. A
 * view that is detached already is left alone.
 *
 * @returns `'stolen'` if somebody transferred the view's bytes to another buffer (a byte stream does): that alias lives, nobody
 * can revoke it, and the memory should never be given to anybody else. Else `'detached'`.
 * @throws `TypeError` for anything that is not such a view.
 * @throws {@link ViewNotDetachableError} for a view that `worker_threads.markAsUntransferable` was called on (Node 24 and later).
 */
export function detachView(view: ArrayBuffer): 'detached' | 'stolen' {
  const record = recordOf(view);
  if (record === undefined) throw notOurs(view);
  const outcome = takeBack(view, record);
  if (outcome === 'undetachable') throw new ViewNotDetachableError();
  return outcome;
}

/** The error for an argument that is no view of ours. */
export function notOurs(view: unknown): TypeError {
  return isInstance(view, ArrayBuffer)
    ? invalidArgValue('view', 'must be an ArrayBuffer that this package made', view)
    : invalidArgType('view', 'an instance of ArrayBuffer', view);
}

/** The error for a view of another map. */
export function notOfThisMap(view: ArrayBuffer): TypeError {
  return invalidArgValue('view', 'must be a view of this Mmap', view);
}
