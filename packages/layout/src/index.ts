/**
 * The layout of a slab: one reservation of address space, cut into guarded and possibly striped slots for WebAssembly
 * memories. Pure arithmetic; it runs wherever JavaScript runs.
 *
 * @packageDocumentation
 */
export { formatBytes, formatHexBytes, parseBytes } from '@guardstripe/common';
export { calculate } from './calculate.js';
export type { Size } from './defaults.js';
export {
  DEFAULT_SLAB_SETTINGS,
  slabConstraints,
  type PageAlignedConstraints,
  type SlabConstraints,
  type SlabLimits,
  type SlabSettings,
  type SlabTunables,
} from './constraints.js';
export { describeLocation } from './describe-location.js';
export { draw, type DrawOptions, type DrawSvgOptions, type DrawTextOptions } from './draw/draw.js';
export type { SvgTheme } from './draw/svg/style.js';
export { SlabTooLargeError } from './errors.js';
export {
  locate,
  type LocatedOffset,
  type LocateOptions,
  type MemoryLocation,
  type NeighbourLocation,
  type OutsideLocation,
  type OverrunLocation,
  type PostGuardLocation,
  type PreGuardLocation,
  type SlabLocation,
  type SlotGuardLocation,
  type SlotLocation,
  type UngrownLocation,
} from './locate.js';
export {
  addBytes,
  multiplyBytes,
  pageAlignedBytes,
  roundUpToPage,
  type PageAlignedBytes,
} from './page-aligned-bytes.js';
export type { SlabLayout } from './slab-layout.js';
export { plan } from './plan/plan.js';
export { settingReaders, type Reader } from './plan/readers.js';
export type { Plan, PlanAdvice, PlanBound, PlanUsage } from './plan/answer.js';
export type { SettingCost } from './plan/costs.js';
export type { PlanHost } from './plan/host.js';
export {
  MAPPINGS_LEFT_TO_NODE,
  mappingsForPools,
  mappingsOfGuardedSlot,
  mappingsOfSlot,
  usesGuardPages,
  type GuardFacts,
  MAX_PROTECTION_KEYS,
} from './process-bounds.js';
export { WASMTIME_FLAGS } from './plan/names.js';
export {
  DEFAULT_PLAN_SETTINGS,
  WASMTIME_PLAN_SETTINGS,
  type Embedding,
  type KeySetting,
  type PlanSettings,
} from './plan/defaults.js';
export { readFlags, readNamed, readSettings, type NamedSettings, type PlanInput } from './plan/settings.js';
