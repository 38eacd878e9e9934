/** Picks the one implementation of {@link VirtualMemory} for this process. */

import { nodeObstacle } from '@guardstripe/common';
import { UnsupportedPlatformError } from '../errors.js';
import { owned } from '../process/owned.js';
import { processState } from '../process/process-state.js';
import { linux } from './linux/linux.js';
import type { VirtualMemory } from './virtual-memory.js';

let current: VirtualMemory | undefined;

/**
 * The real operating system underneath, the same object at every call.
 *
 * @throws {@link UnsupportedPlatformError} off 64-bit Linux (x64 and arm64), and below Node.js 22.12, `code`
 *   `ERR_UNSUPPORTED_PLATFORM`.
 * @throws {@link FfiUnavailableError} where koffi cannot load its native library, `code` `ERR_FFI_UNAVAILABLE`.
 */
export function platform(): VirtualMemory {
  current ??= ownedByThread(chooseHere());
  return current;
}

/** In a worker, with all that it takes written down: somebody must give it back when the worker ends. */
function ownedByThread(system: VirtualMemory): VirtualMemory {
  const ledger = processState()?.ledger;
  return ledger === undefined ? system : owned(system, ledger);
}

function chooseHere(): VirtualMemory {
  const obstacle = nodeObstacle();
  if (obstacle !== undefined) throw new UnsupportedPlatformError(process.platform, process.arch, obstacle);
  return choose(process.platform, process.arch);
}

/** The implementation for a named platform; apart from {@link platform} so that tests can ask for others. */
export function choose(name: string, arch: string): VirtualMemory {
  if (name === 'linux' && (arch === 'x64' || arch === 'arm64')) return linux();
  throw new UnsupportedPlatformError(name, arch);
}
