/**
 * Array buffers over mapped memory, and taking them away again.
 *
 * A view that outlives its memory is a use-after-free that JavaScript can reach, so whoever hands one out must be able
 * to revoke it: `ArrayBuffer.prototype.transfer` detaches it in place. The same method in the hands of a user would
 * make an alias that nobody can revoke; views therefore carry throwing properties of their own over `transfer` and
 * `transferToFixedLength`. Calling those through the prototype voids the guarantee.
 */

import { checkInteger } from './checks.js';
import { invalidArgType, invalidArgValue, outOfRange, ViewUnsupportedError } from './errors.js';
import { ffi } from './platform/ffi.js';

/** Taken at load time: a later patch of the prototype must not be able to keep views alive. */
// eslint-disable-next-line typescript/unbound-method -- bound in the same expression
const transfer = Function.prototype.call.bind(ArrayBuffer.prototype.transfer) as (
  buffer: ArrayBuffer,
  byteLength: number,
) => ArrayBuffer;

/** The throwing stand-in. Its identity is also what marks a buffer as one of ours. */
function refuseTransfer(): never {
  throw Object.assign(
    new TypeError('A view of mapped memory cannot be transferred: its owner must be able to detach it'),
    { code: 'ERR_VIEW_NOT_TRANSFERABLE' },
  );
}

const SHADOW: PropertyDescriptor = {
  value: refuseTransfer,
  enumerable: false,
  writable: false,
  configurable: false,
};

let viewMemory: ((address: number, byteLength: number) => ArrayBuffer) | undefined;

/**
 * Makes an array buffer over `byteLength` bytes at `address`; both in bytes, of any alignment. The caller owns the
 * memory and must {@link detachView} before it goes away: touching an unmapped or inaccessible byte ends the process.
 * A length of 0 gives an empty buffer over nothing. Views cannot be transferred or posted to another thread.
 *
 * @throws {ViewUnsupportedError} in runtimes without external array buffers (Electron).
 */
export function createView(address: number, byteLength: number): ArrayBuffer {
  checkInteger('address', address);
  checkInteger('byteLength', byteLength);
  if (address === 0) throw outOfRange('address', 'above 0', address);
  if (byteLength > Number.MAX_SAFE_INTEGER - address) {
    throw outOfRange('byteLength', 'such that the end of the range is a safe integer', byteLength);
  }
  const view = byteLength === 0 ? new ArrayBuffer(0) : viewOf(address, byteLength);
  // Two calls: defineProperties with the same descriptors takes 0.7 µs longer.
  Object.defineProperty(view, 'transfer', SHADOW);
  Object.defineProperty(view, 'transferToFixedLength', SHADOW);
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

/**
 * Detaches a view that {@link createView} made: its length becomes 0 and every typed array over it reads nothing. A
 * view that is detached already is left alone.
 *
 * @throws {TypeError} for anything that is not such a view.
 */
export function detachView(view: ArrayBuffer): void {
  if (!(view instanceof ArrayBuffer)) throw invalidArgType('view', 'an ArrayBuffer', view);
  if (view.transfer !== refuseTransfer) {
    throw invalidArgValue('view', 'an ArrayBuffer that this package made', view);
  }
  if (!view.detached) transfer(view, 0);
}
