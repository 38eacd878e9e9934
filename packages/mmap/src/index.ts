/**
 * Pages of memory from Node.js: reserve address space, decide which pages can be touched, map files and sealed images,
 * drop pages, and look at all of it through array buffers that are detached when the memory goes.
 *
 * @packageDocumentation
 */

export { addressOf } from './address-of.js';
export type { Advice } from './operations/advice.js';
export type { AnonymousOptions, MmapOptions } from './operations/anonymous.js';
export {
  FfiUnavailableError,
  HugePagesUnavailableError,
  MemoryImageClosedError,
  MmapBusyError,
  MmapClosedError,
  SystemError,
  UnsupportedPlatformError,
  ViewNotDetachableError,
  ViewUnsupportedError,
} from './errors.js';
export type { SystemCall } from './errors.js';
export type { UrlLike } from '@guardstripe/common';
export type { FileLike, FromFileOptions } from './operations/file-range.js';
export type { MmapHold } from './operations/hold.js';
export type { PageAccess } from './operations/page-access.js';
export type { LockOptions } from './operations/hints.js';
export { host } from './platform/host.js';
export type { HostInfo } from './platform/host.js';
export type { KernelFeatures } from './platform/linux/kernel-features.js';
export { memoryImage, openImage, shareImage } from './memory-image.js';
export type { JointImageHandle, MemoryImage, MemoryImageOptions, MemoryImagePart } from './memory-image.js';
export { Mmap } from './mmap.js';
export type { CloseOptions } from './mmap.js';
export type { MmapPages } from './mmap-pages.js';
export { PageScanner } from './operations/page-scanner.js';
export type { PageRange } from './operations/decommit-many.js';
export type { PageScannerOptions } from './operations/page-scanner.js';
export { adoptMap, countJointMappings, jointHandleOf, keepJointMap, reserveJointly } from './joint-map.js';
export type { JointMapHandle } from './joint-map.js';
export { platform } from './platform/platform.js';
export type { ProtectionGuard } from './operations/protection-guard.js';
export type { ResizeOptions } from './operations/resize.js';
export type { SharedMemoryHandle } from './mapped-pages.js';
export type { OpenSharedOptions, SharedOptions } from './operations/shared-memory.js';
export type { PageRuns } from './platform/page-runs.js';
export { PageRestorer } from './restore/page-restorer.js';
export type {
  DiscardOptions,
  PageRestorerOptions,
  RestorerChange,
  RestorerRangeChange,
} from './restore/page-restorer.js';
export type { RestorerImage } from './restore/contents.js';
export { processState, processStateObstacle } from './process/process-state.js';
export type { ProcessState } from './process/process-state.js';
export { RESTORE_STRATEGIES } from './restore/strategies.js';
export type { RestoreResult, RestoreStrategy } from './restore/strategies.js';
export type { ForeignRange, MapRange, RestorerRange } from './restore/range.js';
export { isSupported, supportReason } from './support.js';
export { ViewLedger } from './views/ledger.js';
export type { ViewsLeft } from './views/ledger.js';
export { createView, detachView } from './views/view.js';
export { withheldAddresses } from './views/withheld.js';
export type { WithheldAddresses } from './views/withheld.js';
export type {
  Access,
  AccessRun,
  DirtyPages,
  FileRun,
  ImageSource,
  Sharing,
  VirtualMemory,
} from './platform/virtual-memory.js';
