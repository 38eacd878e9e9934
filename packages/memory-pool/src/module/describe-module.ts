/** From a WebAssembly module to memories that a pool can make. */
import { invalidArgType } from '@guardstripe/common';
import { hintOfBytes } from '../hints.js';
import { hostPageBytes, makeModule, readDescribeOptions, type DescribeOptions } from './describe.js';
import type { PoolModule } from './module.js';
import { parseModule, planImages, resolveLimits, type GivenLimits } from '../wasm/index.js';

/** What {@link describeModule} takes beside the module. */
export interface DescribeModuleOptions extends DescribeOptions {
  /** How much of the host the module may ask for; each limit has a default. */
  readonly limits?: GivenLimits;
}

/**
 * Reads a WebAssembly module: its memories, and the images that its active data segments make of them. Nothing is asked of
 * the system: the images' memory file is made when the first of them is allocated.
 *
 * The bytes may be changed or transferred afterwards; nothing refers to them. They may be shared with other threads, which
 * may even write to them meanwhile: they are copied, and the copy is what is validated and read.
 *
 * @throws {@link InvalidModuleError} if the bytes are not a module; {@link ModuleLimitError} if it asks for more than
 * `limits`; `TypeError` `ERR_INVALID_ARG_TYPE`, `RangeError` `ERR_OUT_OF_RANGE` for an argument
 */
export function describeModule(bytes: Uint8Array, options: DescribeModuleOptions = {}): PoolModule {
  const { virtualMemory, limits: wanted } = readDescribeOptions(options, ['limits']);
  const limits = resolveLimits(wanted);
  const hint = hintOfBytes(bytes);
  if (hint !== undefined) throw invalidArgType('bytes', 'an instance of Uint8Array', bytes, hint);
  const parsed = parseModule(bytes, limits);
  return makeModule(parsed.memories, planImages(parsed, hostPageBytes(virtualMemory), limits), virtualMemory);
}
