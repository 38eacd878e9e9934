/** Bytes that a caller passes in, as they really are. */
import { isInstance } from './checks.ts';
import { invalidArgType } from './errors.ts';

/**
 * Taken at load time (and left out of bundles that do not use it), and asked instead of properties that a caller can put over
 * the real ones.
 */
function taken<R>(name: string | symbol): (bytes: unknown) => R {
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
  // eslint-disable-next-line typescript/unbound-method -- bound in the next statement
  const getter: unknown = Object.getOwnPropertyDescriptor(typedArray, name)!.get;
  return Function.prototype.call.bind(getter as () => R) as (bytes: unknown) => R;
}

/** Names the kind of a typed array of any realm; `undefined` for all else, a proxy of one included. */
const kindOf = /* @__PURE__ */ taken<string | undefined>(Symbol.toStringTag);
const bufferOf = /* @__PURE__ */ taken<ArrayBufferLike>('buffer');
const byteOffsetOf = /* @__PURE__ */ taken<number>('byteOffset');
const byteLengthOf = /* @__PURE__ */ taken<number>('byteLength');
const Bytes = Uint8Array;

/** Whether something is a `Uint8Array`, of whichever realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return kindOf(value) === 'Uint8Array';
}

/** For what looks like one: that it is none cannot be seen. */
function hintOf(value: unknown): string | undefined {
  return isInstance(value, Bytes)
    ? 'A proxy, or an object with the prototype alone, has no bytes'
    : undefined;
}

/**
 * The same bytes behind an array of our own. `instanceof` and `byteLength` say of a `Uint8Array` whatever a subclass or an own
 * property makes them say, and native code that believes them reads and writes behind its end.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no `Uint8Array`
 */
export function bytesOf(value: unknown, name: string): Uint8Array {
  if (!isBytes(value)) throw invalidArgType(name, 'an instance of Uint8Array', value, hintOf(value));
  const byteLength = byteLengthOf(value);
  // A detached buffer has no bytes, and no array can be made over it.
  return byteLength === 0 ? new Bytes(0) : new Bytes(bufferOf(value), byteOffsetOf(value), byteLength);
}
