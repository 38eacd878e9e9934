import { plan, readSettings } from '@guardstripe/layout';
import { platform } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { MemoryPool, type MemoryPoolConfig } from '../src/index.js';
import { PAGE, smallPool } from './support/memories.js';

// Where dirty pages cannot be found, all that may stay would be written each time.
const keptByDefault = platform().canScanDirtyPages ? 4 * 2 ** 20 : 0;

describe('the settings', () => {
  it('have the defaults of the field', () => {
    const pool = MemoryPool.create();
    expect(pool.config).toEqual({
      totalMemories: 1000,
      maxMemoriesPerModule: 1,
      maxMemorySize: 2 ** 32,
      memoryReservation: 2 ** 32,
      memoryGuardSize: 32 * 2 ** 20,
      guardBeforeLinearMemory: true,
      linearMemoryKeepResident: keptByDefault,
      linearMemoryWriteBack: keptByDefault,
      maxUnusedBytesResident: 128 * 2 ** 20,
      maxUnusedWarmSlots: 100,
      decommitBatchSize: 1,
      pagemapScan: 'auto',
      writeWatch: 'auto',
      maxWaitingAllocations: 10_000,
      maxCollectionShare: 0.1,
      traceAllocations: false,
      memoryProtectionKeys: 'auto',
      maxMemoryProtectionKeys: 16,
      guardPages: 'auto',
      shared: false,
    });
    pool.close();
  });

  const numbers = [
    'totalMemories',
    'maxMemoriesPerModule',
    'maxMemorySize',
    'memoryReservation',
    'memoryGuardSize',
    'linearMemoryKeepResident',
    'linearMemoryWriteBack',
    'maxUnusedBytesResident',
    'maxUnusedWarmSlots',
    'decommitBatchSize',
    'maxWaitingAllocations',
    'maxMemoryProtectionKeys',
  ] as const satisfies readonly (keyof MemoryPoolConfig)[];

  it.each(numbers.flatMap((name) => [-1, 0.5, Number.NaN, 2 ** 53].map((value) => ({ name, value }))))(
    'refuse $name: $value, by name and value',
    ({ name, value }) => {
      const create = () => MemoryPool.create({ [name]: value });
      expect(create).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
      expect(create).toThrow(RangeError);
      expect(create).toThrow(new RegExp(`${name}.*${value}`));
    },
  );

  const types: [string, unknown][] = [
    ...numbers.map((name): [string, unknown] => [name, true]),
    ['totalMemories', '3 slots'],
    ['maxMemorySize', '64MB'],
    ['guardBeforeLinearMemory', 1],
    ['guardBeforeLinearMemory', 'perhaps'],
    ['traceAllocations', 'perhaps'],
    ['pagemapScan', 1],
    ['writeWatch', 1],
    ['guardPages', 1],
    ['memoryProtectionKeys', 'perhaps'],
    ['noSuchSetting', 1],
  ];
  it.each(types)('refuse %s: %s of the wrong type', (name, value) => {
    const create = () => MemoryPool.create({ [name]: value });
    expect(create).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_INVALID_ARG_(?:TYPE|VALUE)$/) as string }),
    );
    expect(create).toThrow(new RegExp(name));
  });

  it('refuse a memory larger than its reservation', () => {
    const create = () => MemoryPool.create({ maxMemorySize: 2 * PAGE, memoryReservation: PAGE });
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(create).toThrow(/maxMemorySize.*memoryReservation/);
  });

  it('are read as the planner reads them: sizes as text, the names of a file for Wasmtime', () => {
    const json =
      '{"pooling_total_memories":"3","max_memory_size":"0x20000","memoryReservation":"1 MiB","memory-guard-size":"64KiB",' +
      '"linear_memory_keep_resident":"256KiB","total_tables":7,"memoryProtectionKeys":"n"}';
    const settings = JSON.parse(json) as MemoryPoolConfig & Record<string, unknown>;
    const pool = MemoryPool.create(settings);
    const { embedding: _, ...planned } = readSettings(settings);
    expect(pool.config).toMatchObject(planned);
    expect(pool.config).toMatchObject({
      totalMemories: 3,
      maxMemorySize: 2 * PAGE,
      linearMemoryKeepResident: 2 ** 18,
      linearMemoryWriteBack: 2 ** 18,
    });
    expect(pool.layout.totalSlabBytes).toBe(plan(settings).layout.totalSlabBytes);
    // And the other way round: all that a pool takes, the planner takes.
    expect(() => readSettings({ ...pool.config })).not.toThrow();
    pool.close();
  });

  it('round sizes up to pages', () => {
    const pool = smallPool({ maxMemorySize: 3 * PAGE + 1, memoryReservation: 4 * PAGE });
    expect(pool.layout.maxMemoryBytes).toBe(3 * PAGE + 4096);
    pool.close();
  });
});
