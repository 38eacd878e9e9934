/** Whether pools can be made in this process. */
import { supportReason as mappingReason } from '@guardstripe/mmap';

/**
 * Whether pools can be made here: Node.js 22.12 or later, 64-bit Linux on x64 or arm64, and koffi can be loaded. What is pure works
 * anywhere: {@link describeModule}, {@link describeMemory}.
 */
export function isSupported(): boolean {
  return supportReason() === undefined;
}

/** Why {@link isSupported} says no, in words for a person; `undefined` where it says yes. */
export function supportReason(): string | undefined {
  return mappingReason();
}
