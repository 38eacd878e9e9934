/** Settings of both pools, from one list: ours by our names, Wasmtime's by Wasmtime's. */
import type { MemoryPoolConfig } from '@guardstripe/memory-pool';

type Named = Omit<MemoryPoolConfig, 'virtualMemory'>;

/** What Wasmtime has under the same name in its own spelling. */
const SHARED = {
  totalMemories: 'total_memories',
  maxMemoriesPerModule: 'max_memories_per_module',
  maxMemorySize: 'max_memory_size',
  memoryReservation: 'memory_reservation',
  memoryGuardSize: 'memory_guard_size',
  guardBeforeLinearMemory: 'guard_before_linear_memory',
  linearMemoryKeepResident: 'linear_memory_keep_resident',
  maxUnusedWarmSlots: 'max_unused_warm_slots',
  decommitBatchSize: 'decommit_batch_size',
  pagemapScan: 'pagemap_scan',
  memoryProtectionKeys: 'memory_protection_keys',
  maxMemoryProtectionKeys: 'max_memory_protection_keys',
} as const satisfies Partial<Record<keyof Named, string>>;

/** Settings that both have. */
export type SharedSettings = Pick<Named, keyof typeof SHARED>;

/** The same settings for Wasmtime. */
export function forWasmtime(settings: SharedSettings): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [SHARED[name as keyof typeof SHARED], value]),
  );
}
