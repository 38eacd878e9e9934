/** Whether the package has anything to offer in this process. */

import { platform } from './platform/platform.js';

/**
 * Whether memory can be mapped here: 64-bit Linux on x64 or arm64, and koffi can be loaded. A page is reserved and given
 * back, so that the answer is not a guess.
 */
export function isSupported(): boolean {
  return supportReason() === undefined;
}

/** Why {@link isSupported} says no, in words for a person; `undefined` where it says yes. */
export function supportReason(): string | undefined {
  try {
    const system = platform();
    system.unmap(system.reserve(system.pageSize), system.pageSize);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
