/** The settings of a pool: defaults, validation, and what follows from them together. */
import type { VirtualMemory } from '@guardstripe/mmap';
import { InvalidTypeError, OutOfRangeError, PoolCreationError, size } from './errors.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Whether an optional feature is used: `'auto'` where it is there, `'enable'` or fail, `'disable'`. */
export type Feature = 'auto' | 'enable' | 'disable';

/** What {@link MemoryPool.create} takes. Sizes are bytes, safe integers. */
export interface MemoryPoolConfig {
  /** Slots in the slab. @defaultValue 1000 */
  readonly totalMemories?: number;
  /** Most memories that a module may define. @defaultValue 1 */
  readonly maxMemoriesPerModule?: number;
  /** Most bytes of one memory that may ever be accessible; rounded up to pages. @defaultValue 4 GiB */
  readonly maxMemorySize?: number;
  /** Bytes that compiled code takes as reserved for a memory, whatever its size; at least `maxMemorySize`. @defaultValue 4 GiB */
  readonly memoryReservation?: number;
  /** Bytes behind the reservation that must fault. @defaultValue 32 MiB */
  readonly memoryGuardSize?: number;
  /** Whether the first slot has the same guard before it. @defaultValue true */
  readonly guardBeforeLinearMemory?: boolean;
  /** How many used-and-free slots are kept for their modules before they are given to others. @defaultValue 100 */
  readonly maxUnusedWarmSlots?: number;
  /** Stripes by protection keys. @defaultValue 'auto' */
  readonly memoryProtectionKeys?: Feature;
  /** Most protection keys to take, 0 to 16; hardware has 15. @defaultValue 16 */
  readonly maxMemoryProtectionKeys?: number;
  /** The page-level primitives to build on; for tests that make system calls fail. @defaultValue this platform's */
  readonly virtualMemory?: VirtualMemory;
}

/** The settings with every default filled in. */
export type ResolvedConfig = Required<Omit<MemoryPoolConfig, 'virtualMemory'>>;

const DEFAULTS: ResolvedConfig = {
  totalMemories: 1000,
  maxMemoriesPerModule: 1,
  maxMemorySize: 4 * GIB,
  memoryReservation: 4 * GIB,
  memoryGuardSize: 32 * MIB,
  guardBeforeLinearMemory: true,
  maxUnusedWarmSlots: 100,
  memoryProtectionKeys: 'auto',
  maxMemoryProtectionKeys: 16,
};

/** Slot links are stored as slot + 1 in 32 signed bits. */
const MAX_SLOTS = 2 ** 31 - 2;
const MAX_COUNT = 2 ** 31 - 1;
const FEATURES: readonly unknown[] = ['auto', 'enable', 'disable'] satisfies readonly Feature[];

type Rule = (name: string, value: unknown) => void;

function integer(minimum: number, maximum: number): Rule {
  return (name, value) => {
    if (typeof value !== 'number') {
      throw new InvalidTypeError(`Invalid setting ${name}: a number is wanted, received ${String(value)}`);
    }
    if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
      throw new OutOfRangeError(
        `Invalid setting ${name}: an integer from ${minimum} to ${maximum} is wanted, received ${value}`,
      );
    }
  };
}

const boolean: Rule = (name, value) => {
  if (typeof value !== 'boolean') {
    throw new InvalidTypeError(`Invalid setting ${name}: a boolean is wanted, received ${String(value)}`);
  }
};

const feature: Rule = (name, value) => {
  if (!FEATURES.includes(value)) {
    throw new InvalidTypeError(
      `Invalid setting ${name}: 'auto', 'enable' or 'disable' is wanted, received ${String(value)}`,
    );
  }
};

const bytes = integer(0, Number.MAX_SAFE_INTEGER);

const RULES: Record<keyof ResolvedConfig, Rule> = {
  totalMemories: integer(0, MAX_SLOTS),
  maxMemoriesPerModule: integer(0, MAX_COUNT),
  maxMemorySize: bytes,
  memoryReservation: bytes,
  memoryGuardSize: bytes,
  guardBeforeLinearMemory: boolean,
  maxUnusedWarmSlots: integer(0, MAX_COUNT),
  memoryProtectionKeys: feature,
  maxMemoryProtectionKeys: integer(0, 16),
};

/**
 * Fills in the defaults and checks each setting alone, then those that depend on each other.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`, or {@link PoolCreationError}
 */
export function resolveConfig(config: MemoryPoolConfig): ResolvedConfig {
  const { virtualMemory: _, ...settings } = config;
  const resolved: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(settings)) {
    if (!(name in RULES)) throw new InvalidTypeError(`Unknown setting ${name}`);
    if (value !== undefined) resolved[name] = value;
  }
  for (const [name, rule] of Object.entries(RULES)) rule(name, resolved[name]);
  const result = resolved as unknown as ResolvedConfig;
  if (result.maxMemorySize > result.memoryReservation) {
    throw new PoolCreationError(
      `Cannot create a pool: maxMemorySize, ${size(result.maxMemorySize)}, must not pass memoryReservation, ` +
        `${size(result.memoryReservation)}: code that trusts the reservation would reach the next slot`,
    );
  }
  return result;
}
