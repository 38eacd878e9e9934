/** Where bytes of JavaScript are. */

import { bytesOutOfRange, invalidArgType } from '@guardstripe/common';
import { ffi } from './platform/ffi.js';

/**
 * The address of a typed array's first byte, its offset in the buffer included; shared buffers have one too. It holds until the
 * buffer is detached or collected, so keep the buffer. That of a `WebAssembly.Memory` is to be read anew after each growth.
 *
 * @throws `TypeError` for what is no typed array or `DataView`, `RangeError` for an empty or detached one: it is nowhere.
 * @throws {@link FfiUnavailableError} where koffi cannot load its native library.
 */
export function addressOf(bytes: ArrayBufferView): number {
  if (!ArrayBuffer.isView(bytes))
    throw invalidArgType('bytes', 'an instance of TypedArray or DataView', bytes);
  if (bytes.byteLength === 0) throw bytesOutOfRange('bytes.byteLength', 'at least 1', 0);
  return ffi().addressOf(bytes);
}
