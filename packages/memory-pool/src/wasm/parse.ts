/** From the bytes of a module to its memories and data segments. */
import { InvalidTypeError } from '../errors.js';
import type { ParsedModule } from './types.js';
import { readValidModule } from './verdict.js';

/**
 * Reads a module's memories and data segments. V8 validates first; modules with custom page sizes or 64-bit memories
 * are taken even where this V8 has no such memory (the rule is in `verdict.ts`).
 *
 * The segments' `data` are views of `bytes`: leave it alone for as long as they are in use. Shared bytes are copied first.
 *
 * @param bytes - the binary, whole
 * @throws {@link InvalidModuleError} `ERR_INVALID_MODULE` if it is not a valid module (a component is none)
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if `bytes` is not a `Uint8Array`
 */
export function parseModule(bytes: Uint8Array): ParsedModule {
  if (!(bytes instanceof Uint8Array)) {
    throw new InvalidTypeError(
      `Cannot read the module: bytes must be a Uint8Array, received ${describeType(bytes)}`,
    );
  }
  const { memories, dataSegments } = readValidModule(stableView(bytes));
  return { memories, dataSegments };
}

/** A plain view; another thread must not change the bytes between the validation and the reading. */
function stableView(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof ArrayBuffer)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Uint8Array(bytes);
}

function describeType(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value;
}
