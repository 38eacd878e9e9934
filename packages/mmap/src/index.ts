/**
 * Pages of memory from Node.js: reserve address space, decide which pages can be touched, map files and sealed images,
 * drop pages, and look at all of it through array buffers that are detached when the memory goes.
 *
 * @packageDocumentation
 */

export { ADVICES, type Advice } from './advice.js';
export type { AnonymousOptions, MmapOptions } from './anonymous.js';
export {
  FfiUnavailableError,
  HugePagesUnavailableError,
  MemoryImageClosedError,
  MmapBusyError,
  MmapClosedError,
  SystemError,
  UnsupportedPlatformError,
  ViewUnsupportedError,
} from './errors.js';
export type { SystemCall } from './errors.js';
export type { FromFileOptions } from './file-range.js';
export type { LockOptions } from './hints.js';
export { host } from './host.js';
export type { HostInfo } from './host.js';
export type { KernelFeatures } from './kernel-features.js';
export { memoryImage } from './memory-image.js';
export type { MemoryImage, MemoryImageOptions } from './memory-image.js';
export { Mmap } from './mmap.js';
export { PageScanner } from './page-scanner.js';
export type { PageRange, PageScannerOptions } from './page-scanner.js';
export { platform } from './platform.js';
export type { ProtectionGuard } from './protection-guard.js';
export type { ResizeOptions } from './resize.js';
export { createView, detachView } from './view.js';
export type { Access, AccessRun, DirtyPages, Sharing, VirtualMemory } from './virtual-memory.js';
