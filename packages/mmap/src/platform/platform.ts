/** Picks the one implementation of {@link VirtualMemory} for this process. */

import { UnsupportedPlatformError } from '../errors.js';
import { linux } from './linux/linux.js';
import type { VirtualMemory } from './virtual-memory.js';

let current: VirtualMemory | undefined;

/**
 * The real operating system underneath, the same object at every call.
 *
 * @throws {@link UnsupportedPlatformError} off 64-bit Linux (x64 and arm64), `code` `ERR_UNSUPPORTED_PLATFORM`.
 * @throws {@link FfiUnavailableError} where koffi cannot load its native library, `code` `ERR_FFI_UNAVAILABLE`.
 */
export function platform(): VirtualMemory {
  current ??= choose(process.platform, process.arch);
  return current;
}

/** The implementation for a named platform; apart from {@link platform} so that tests can ask for others. */
export function choose(name: string, arch: string): VirtualMemory {
  if (name === 'linux' && (arch === 'x64' || arch === 'arm64')) return linux();
  throw new UnsupportedPlatformError(name, arch);
}
