/**
 * What all packages share: checks of arguments, the grammar of their errors, sizes as text. Never published; tsup writes
 * what a package uses of it into that package, its types too. Nothing here knows of an operating system or of Node.
 *
 * @packageDocumentation
 */
export { bytesOf, isBytes } from './bytes.ts';
export {
  checkBoolean,
  checkByteRange,
  checkBytes,
  checkFunction,
  checkInstance,
  checkInteger,
  checkObject,
  checkOneOf,
  checkPages,
  checkPageSize,
  checkString,
  checkVirtualMemory,
  isInstance,
  isReadable,
} from './checks.ts';
export {
  bytesOutOfRange,
  invalidArgType,
  invalidArgValue,
  invalidReturnValue,
  outOfRange,
  withCode,
  type Coded,
} from './errors.ts';
export { formatBytes, formatCount, formatHexBytes } from './format-bytes.ts';
export { lockSlowly, unlockWord, type LockUser } from './lock.ts';
export { nodeObstacle } from './node-version.ts';
export { readOptions, unknownName, type Slips } from './options.ts';
export { parseBytes } from './parse-bytes.ts';
export { hex, size } from './sizes.ts';
export type { AbortSignalLike, UrlLike } from './platform-types.ts';
export { received, shown } from './received.ts';
export { showAs } from './show-as.ts';
