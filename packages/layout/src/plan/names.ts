/** What settings are called: by us, in Wasmtime's API, and as its flags. */
import type { Slips } from '@guardstripe/common';
import type { PlanSettings } from './defaults.js';

/** Wasmtime's flag for each setting, as it stands behind `-O`; `undefined` for what Wasmtime has not. */
export const WASMTIME_FLAGS: Readonly<Record<keyof PlanSettings, string | undefined>> = Object.freeze({
  embedding: undefined,
  totalMemories: 'pooling-total-memories',
  maxMemorySize: 'pooling-max-memory-size',
  memoryReservation: 'memory-reservation',
  memoryGuardSize: 'memory-guard-size',
  guardBeforeLinearMemory: 'guard-before-linear-memory',
  linearMemoryKeepResident: 'pooling-memory-keep-resident',
  maxUnusedBytesResident: undefined,
  maxUnusedWarmSlots: 'pooling-max-unused-warm-slots',
  memoryProtectionKeys: 'pooling-memory-protection-keys',
  maxMemoryProtectionKeys: 'pooling-max-memory-protection-keys',
  guardPages: undefined,
});

/** Names that do not follow from ours by spelling alone: the flag for resident bytes, and flags that Wasmtime gave up. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['memoryKeepResident', 'linearMemoryKeepResident'],
  ['staticMemoryMaximumSize', 'memoryReservation'],
  ['staticMemoryGuardSize', 'memoryGuardSize'],
]);

/**
 * What a pool's configuration, a plan or Wasmtime's `-O` may hold beside, and what decides nothing for who reads it (Wasmtime 45,
 * `OptimizeOptions`; the last row is this project's own).
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(
  `optLevel regallocAlgorithm memoryMayMove memoryReservationForGrowth tableLazyInit allocator decommitBatchSize
   tableKeepResident memoryInitCow memoryGuaranteedDenseImageSize totalCoreInstances totalComponentInstances totalTables
   totalStacks tableElements maxCoreInstanceSize asyncStackKeepResident maxComponentInstanceSize
   maxCoreInstancesPerComponent maxMemoriesPerComponent maxTablesPerComponent maxTablesPerModule maxMemoriesPerModule
   totalGcHeaps signalsBasedTraps dynamicMemoryGuardSize staticMemoryForced dynamicMemoryReservedForGrowth
   pagemapScan maxWaitingAllocations traceAllocations virtualMemory linearMemoryWriteBack writeWatch maxCollectionShare shared embedding`.split(
    /\s+/,
  ),
);

/** A name without what only its place says: dashes, `pooling`. */
export function bareName(name: string): string {
  const camel = name.replaceAll(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel.replace(/^pooling(?=[A-Z])/, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
}

/** Our name for a setting, one of `known`; `null` for one that changes nothing, `undefined` for one that nobody has. */
export function canonicalName(name: string, known: readonly string[]): string | null | undefined {
  // Most are called as they are here.
  if (known.includes(name)) return name;
  const bare = bareName(name);
  const setting = SYNONYMS.get(bare) ?? bare;
  if (known.includes(setting)) return setting;
  return WITHOUT_EFFECT.has(bare) ? null : undefined;
}

/** What people call settings who have not looked them up. */
export const SETTING_SLIPS: Slips = {
  slots: "'totalMemories'",
  numSlots: "'totalMemories'",
  capacity: "'totalMemories'",
  memories: "'totalMemories'",
  maxMemories: "'totalMemories'",
  memorySize: "'maxMemorySize'",
  maxSize: "'maxMemorySize'",
  maxMemoryBytes: "'maxMemorySize'",
  guardSize: "'memoryGuardSize'",
  reservation: "'memoryReservation'",
  limiter: 'a limiter of a store, pool.openStore({ limiter })',
};
