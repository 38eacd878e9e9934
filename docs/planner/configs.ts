/** A plan's settings as the configuration of each runtime that understands them. */
import { formatBytes, WASMTIME_FLAGS, type KeySetting, type PlanSettings } from '@guardstripe/layout';

/** One target: its name, and the text to copy. */
export interface ConfigTarget {
  readonly id: 'guardstripe' | 'rust' | 'cli' | 'c';
  readonly label: string;
  readonly write: (settings: PlanSettings) => string;
}

/** Every target, in the order of the page. */
export const CONFIG_TARGETS: readonly ConfigTarget[] = [
  { id: 'guardstripe', label: 'Guardstripe', write: guardstripe },
  { id: 'rust', label: 'Wasmtime, Rust', write: wasmtimeRust },
  { id: 'cli', label: 'Wasmtime, command line', write: wasmtimeFlags },
  { id: 'c', label: 'Wasmtime, C', write: wasmtimeC },
];

function guardstripe(settings: PlanSettings): string {
  return `import { MemoryPool } from '@guardstripe/memory-pool';

const pool = MemoryPool.create({
  totalMemories: ${separated(settings.totalMemories)},
  maxMemorySize: ${product(settings.maxMemorySize, '**')},
  memoryReservation: ${product(settings.memoryReservation, '**')},
  memoryGuardSize: ${product(settings.memoryGuardSize, '**')},
  guardBeforeLinearMemory: ${settings.guardBeforeLinearMemory},
  maxUnusedWarmSlots: ${separated(settings.maxUnusedWarmSlots)},
  linearMemoryKeepResident: ${product(settings.linearMemoryKeepResident, '**')},
  maxUnusedBytesResident: ${product(settings.maxUnusedBytesResident, '**')},
  memoryProtectionKeys: '${settings.memoryProtectionKeys}',
  maxMemoryProtectionKeys: ${settings.maxMemoryProtectionKeys},
  guardPages: '${settings.guardPages}',
});
`;
}

const RUST_KEYS: Readonly<Record<KeySetting, string>> = { auto: 'Auto', enable: 'Yes', disable: 'No' };

function wasmtimeRust(settings: PlanSettings): string {
  return `use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

let mut pool = PoolingAllocationConfig::new();
pool.total_memories(${separated(settings.totalMemories)});
pool.total_core_instances(${separated(settings.totalMemories)});
pool.max_memory_size(${product(settings.maxMemorySize, '<<')});
pool.max_unused_warm_slots(${separated(settings.maxUnusedWarmSlots)});
pool.linear_memory_keep_resident(${product(settings.linearMemoryKeepResident, '<<')});
// Older releases of Wasmtime call this type MpkEnabled, with Auto, Enable and Disable.
pool.memory_protection_keys(Enabled::${RUST_KEYS[settings.memoryProtectionKeys]});
pool.max_memory_protection_keys(${settings.maxMemoryProtectionKeys});

let mut config = Config::new();
config.memory_reservation(${product(settings.memoryReservation, '<<')});
config.memory_guard_size(${product(settings.memoryGuardSize, '<<')});
config.guard_before_linear_memory(${settings.guardBeforeLinearMemory});
config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
`;
}

const FLAG_KEYS: Readonly<Record<KeySetting, string>> = { auto: 'auto', enable: 'y', disable: 'n' };

function wasmtimeFlags(settings: PlanSettings): string {
  const values: Partial<Record<keyof PlanSettings, unknown>> = {
    ...settings,
    guardBeforeLinearMemory: settings.guardBeforeLinearMemory ? 'y' : 'n',
    memoryProtectionKeys: FLAG_KEYS[settings.memoryProtectionKeys],
  };
  const flags = [
    'pooling-allocator=y',
    `pooling-total-core-instances=${settings.totalMemories}`,
    ...Object.entries(WASMTIME_FLAGS).flatMap(([setting, flag]) =>
      flag === undefined ? [] : [`${flag}=${String(values[setting as keyof PlanSettings])}`],
    ),
  ];
  const lines = flags.map((flag) => `  -O ${flag} \\`);
  return `wasmtime run \\\n${lines.join('\n')}\n  program.wasm\n`;
}

function wasmtimeC(settings: PlanSettings): string {
  const pool = 'wasmtime_pooling_allocation_config';
  return `#include <wasmtime.h>

wasm_config_t *config = wasm_config_new();
wasmtime_config_memory_reservation_set(config, ${cBytes(settings.memoryReservation)});
wasmtime_config_memory_guard_size_set(config, ${cBytes(settings.memoryGuardSize)});

${pool}_t *pool = ${pool}_new();
${pool}_total_memories_set(pool, ${settings.totalMemories});
${pool}_total_core_instances_set(pool, ${settings.totalMemories});
${pool}_max_memory_size_set(pool, ${cBytes(settings.maxMemorySize)});
${pool}_max_unused_warm_slots_set(pool, ${settings.maxUnusedWarmSlots});
${pool}_linear_memory_keep_resident_set(pool, ${cBytes(settings.linearMemoryKeepResident)});
wasmtime_pooling_allocation_strategy_set(config, pool);
${pool}_delete(pool);
/* The C API cannot set guard_before_linear_memory (true there) or protection keys (not used there). */
`;
}

/** `4 * 2 ** 30`, `4 << 30`: the same number, readable; plain where it is no multiple of 1 KiB. */
function product(bytes: number, power: '**' | '<<'): string {
  const exponent = [40, 30, 20, 10].find(
    (candidate) => bytes >= 2 ** candidate && bytes % 2 ** candidate === 0,
  );
  if (exponent === undefined) return separated(bytes);
  const factor = bytes / 2 ** exponent;
  return power === '**' ? `${factor} * 2 ** ${exponent}` : `${factor} << ${exponent}`;
}

function cBytes(bytes: number): string {
  return `${bytes}ull /* ${formatBytes(bytes)} */`;
}

/** TypeScript and Rust both read `1_000_000`. */
function separated(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, '_');
}
