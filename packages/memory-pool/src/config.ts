/** The settings of a pool: defaults, validation, and what follows from them together. */
import { checkObject, checkVirtualMemory, invalidArgType, outOfRange } from '@guardstripe/common';
import { MAX_CAPACITY } from '@guardstripe/index-allocator';
import {
  DEFAULT_PLAN_SETTINGS,
  readNamed,
  settingReaders,
  type Reader,
  type Size,
} from '@guardstripe/layout';
import type { VirtualMemory } from '@guardstripe/mmap';

export type { Size };

/** Whether an optional feature is used: `'auto'` where it is there, `'enable'` or fail, `'disable'`. */
export type Feature = 'auto' | 'enable' | 'disable';

/**
 * What {@link MemoryPool.create} takes. It is read as the planner of the layout package reads it, so that one file of settings
 * serves both: every setting also by Wasmtime's name for it, and values as text.
 */
export interface MemoryPoolConfig {
  /** Slots in the slab. @defaultValue 1000 */
  readonly totalMemories?: number;
  /** Most memories that a module may define. @defaultValue 1 */
  readonly maxMemoriesPerModule?: number;
  /** Most bytes of one memory that may ever be accessible; rounded up to pages. @defaultValue 4 GiB */
  readonly maxMemorySize?: Size;
  /** Bytes that compiled code takes as reserved for a memory, whatever its size; at least `maxMemorySize`. @defaultValue 4 GiB */
  readonly memoryReservation?: Size;
  /** Bytes behind the reservation that must fault. @defaultValue 32 MiB */
  readonly memoryGuardSize?: Size;
  /** Whether the first slot has the same guard before it. @defaultValue true */
  readonly guardBeforeLinearMemory?: boolean;
  /**
   * Bytes of its own that a freed memory may keep in RAM, reset by writing instead of by dropping pages; rounded up to pages.
   * @defaultValue 4 MiB; 0 where dirty pages cannot be found, for all of these bytes would then be written each time
   */
  readonly linearMemoryKeepResident?: Size;
  /**
   * Most bytes that one reset writes back; what was written beyond is dropped. Bounds how long a reset takes. Rounded up to pages.
   * @defaultValue as `linearMemoryKeepResident`
   */
  readonly linearMemoryWriteBack?: Size;
  /**
   * Most bytes that all free memories together keep in RAM. Beyond, those that were freed longest ago give theirs back.
   * @defaultValue 128 MiB
   */
  readonly maxUnusedBytesResident?: Size;
  /** How many used-and-free slots are kept for their modules before they are given to others. @defaultValue 100 */
  readonly maxUnusedWarmSlots?: number;
  /** Regions collected before they are dropped in one call, 1 to 1,024. @defaultValue 1 */
  readonly decommitBatchSize?: number;
  /** Whether a reset writes only dirty pages, found by `PAGEMAP_SCAN` (Linux 6.7). @defaultValue 'auto' */
  readonly pagemapScan?: Feature;
  /**
   * Whether the kernel may be asked to note writes to memories whose tenants read far more than they write (`userfaultfd`, Linux 6.7);
   * needs `pagemapScan`. @defaultValue 'auto'
   */
  readonly writeWatch?: Feature;
  /** Most allocations that may wait for a slot at once. @defaultValue 10,000 */
  readonly maxWaitingAllocations?: number;
  /**
   * Most of the time that the pool may have the engine collect, from 0, which is never, to 0.9. It does so only while an
   * allocation lacks a slot and slots cool.
   * @defaultValue 0.1
   */
  readonly maxCollectionShare?: number;
  /** Whether each memory remembers where it was allocated, for the warning about one that was never freed. @defaultValue false */
  readonly traceAllocations?: boolean;
  /** Stripes by protection keys. @defaultValue 'auto' */
  readonly memoryProtectionKeys?: Feature;
  /** Most protection keys to take, 0 to 16; hardware has 15. @defaultValue 16 */
  readonly maxMemoryProtectionKeys?: number;
  /**
   * Whether what is closed of a slot is closed by guard markers inside of one mapping (`MADV_GUARD_INSTALL`, Linux 6.13), so that
   * `vm.max_map_count` does not bound how many memories live. `'auto'` takes them where all slots would take more mappings than
   * there are, are not striped, and are at most 16 MiB apart: each takes page tables, 2 KiB a MiB. Of use with a small
   * `memoryReservation`.
   * @defaultValue 'auto'
   */
  readonly guardPages?: Feature;
  /**
   * Whether the threads of the process may have the pool together: {@link MemoryPool.share} then gives what another thread attaches with. A
   * shared pool does not watch writes.
   * @defaultValue false
   */
  readonly shared?: boolean;
  /** The page-level primitives to build on; for tests that make system calls fail. @defaultValue this platform's */
  readonly virtualMemory?: VirtualMemory;
}

/** The settings with every default filled in. */
export type ResolvedConfig = {
  readonly [Name in keyof Omit<MemoryPoolConfig, 'virtualMemory'>]-?: NonNullable<
    MemoryPoolConfig[Name]
  > extends infer Value
    ? Size extends Value
      ? number
      : Value
    : never;
};

/** Those that the planner knows, too, and a pool's own. */
const { embedding: _, ...SHARED_DEFAULTS } = DEFAULT_PLAN_SETTINGS;
const DEFAULTS: ResolvedConfig = {
  ...SHARED_DEFAULTS,
  maxMemoriesPerModule: 1,
  linearMemoryWriteBack: SHARED_DEFAULTS.linearMemoryKeepResident,
  decommitBatchSize: 1,
  pagemapScan: 'auto',
  writeWatch: 'auto',
  maxWaitingAllocations: 10_000,
  maxCollectionShare: 0.1,
  traceAllocations: false,
  shared: false,
};

/** `process_madvise` takes at most `UIO_MAXIOV` ranges a call (`linux/uio.h`). */
const MAX_BATCH = 1024;
const MAX_COUNT = 2 ** 31 - 1;

const { countUpTo, feature, flag, size } = settingReaders;

/** Collecting all the time leaves none for what it is done for. */
const MAX_SHARE = 0.9;

const share: Reader = (value, name) => {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value <= MAX_SHARE)) throw outOfRange(name, `>= 0 && <= ${MAX_SHARE}`, value);
  return value;
};

const READERS: Readonly<Record<keyof ResolvedConfig, Reader>> = {
  totalMemories: countUpTo(MAX_CAPACITY),
  maxMemoriesPerModule: countUpTo(MAX_COUNT),
  maxMemorySize: size,
  memoryReservation: size,
  memoryGuardSize: size,
  guardBeforeLinearMemory: flag,
  linearMemoryKeepResident: size,
  linearMemoryWriteBack: size,
  maxUnusedBytesResident: size,
  maxUnusedWarmSlots: countUpTo(MAX_COUNT),
  decommitBatchSize: countUpTo(MAX_BATCH, 1),
  pagemapScan: feature,
  writeWatch: feature,
  maxWaitingAllocations: countUpTo(MAX_COUNT),
  maxCollectionShare: share,
  traceAllocations: flag,
  memoryProtectionKeys: feature,
  maxMemoryProtectionKeys: countUpTo(16),
  guardPages: feature,
  shared: flag,
};

/** A pool's settings, read. */
export interface ReadConfig {
  /** What was set. */
  readonly given: Partial<ResolvedConfig>;
  /** The same with the defaults. */
  readonly resolved: ResolvedConfig;
  /** The primitives to build on; nothing for this platform's. */
  readonly virtualMemory: VirtualMemory | undefined;
}

/**
 * Reads each setting alone, once, and fills in the defaults. Those that depend on each other are the layout's business.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, or `RangeError` `ERR_OUT_OF_RANGE`
 */
export function readConfig(config: MemoryPoolConfig): ReadConfig {
  checkObject(config, 'config');
  const { virtualMemory, ...settings } = config;
  if (virtualMemory !== undefined) checkVirtualMemory(virtualMemory, 'virtualMemory');
  const given = readNamed<Partial<ResolvedConfig>>(settings, READERS, {});
  return { given, resolved: { ...DEFAULTS, ...given }, virtualMemory };
}
