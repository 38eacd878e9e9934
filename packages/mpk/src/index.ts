/**
 * Memory protection keys: colour pages with a key, and open or close them for the calling thread in a few nanoseconds.
 *
 * @packageDocumentation
 */
export { KeyInUseError, KeyReleasedError, KeysExhaustedError } from './errors.js';
export {
  adoptKeys,
  keys,
  leaveKeys,
  shareKeys,
  type KeyLease,
  type ProtectionKey,
  type Region,
} from './keys.js';
export type { JointKey } from './keys.js';
export { allow, currentMask, ProtectionMask, withMask } from './mask.js';
export { isSupported, supportReason } from './support.js';
