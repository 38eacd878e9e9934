/** From the bytes of a module to its memories and data segments. */
import { bytesOf } from '@guardstripe/common';
import { checkLimit, resolveLimits, type ModuleLimits } from './limits.js';
import type { ParsedModule } from './types.js';
import { readValidModule } from './verdict.js';

/**
 * Reads a module's memories and data segments. V8 validates; modules with custom page sizes or 64-bit memories are taken
 * even where this V8 has no such memory (the rule is in `verdict.ts`).
 *
 * The bytes are copied before they are looked at: another thread or process may write to them meanwhile.
 *
 * @param bytes - the binary, whole
 * @throws {@link InvalidModuleError} `ERR_INVALID_MODULE` if it is not a valid module (a component is none);
 * {@link ModuleLimitError} `ERR_MODULE_LIMIT`
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if `bytes` is not a `Uint8Array` or a limit no number; `RangeError`
 *   `ERR_OUT_OF_RANGE`
 */
export function parseModule(bytes: Uint8Array, limits: ModuleLimits = resolveLimits()): ParsedModule {
  const given = bytesOf(bytes, 'bytes');
  checkLimit(limits, 'maxModuleBytes', given.byteLength);
  const copy = new Uint8Array(given);
  const { memories, dataSegments } = readValidModule(copy, limits);
  return { bytes: copy, memories, dataSegments };
}
