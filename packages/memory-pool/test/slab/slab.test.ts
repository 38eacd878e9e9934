/** What is said where the slab, or a memory in it, does not fit the host: it must be true. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { host } from '@guardstripe/mmap';
import { needing } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { MemoryPool, PoolCreationError, type MemoryPoolConfig } from '../../src/index.js';
import { PAGE, smallPool } from '../support/memories.js';

const GIB = 2 ** 30;

function refusal(config: MemoryPoolConfig): PoolCreationError {
  try {
    MemoryPool.create({ memoryProtectionKeys: 'disable', ...config }).close();
  } catch (error) {
    if (error instanceof PoolCreationError) return error;
    throw error;
  }
  throw new Error('The pool was not refused');
}

const slotsThatFit = (message: string) => Number(/these settings (\d+) slots fit/.exec(message)?.[1]);

describe('a slab that does not fit', () => {
  const cases: [string, MemoryPoolConfig, RegExp][] = [
    ['the address space', { totalMemories: 100_000 }, /100000 slots.* TiB/],
    ['any number', { totalMemories: 100_000_000 }, /100000000 slots.*too large/],
    ['with memories of 64 GiB', { totalMemories: 5000, memoryReservation: 64 * GIB }, /5000 slots.* TiB/],
  ];

  it.each(cases)('%s says what was asked, what the host has, and what would fit', (_, config, asked) => {
    const { message, code, cause } = refusal(config);
    expect(code).toBe('ERR_POOL_CREATION');
    expect(cause).toBeInstanceOf(Error);
    expect(message).toMatch(asked);
    const { addressBits, overcommit, maxMapCount } = host();
    expect(message).toContain(`${addressBits} address bits`);
    expect(message).toContain(`overcommit ${overcommit}`);
    expect(message).toContain(`vm.max_map_count ${maxMapCount ?? 'unknown'}`);
    expect(message).toContain('RLIMIT_AS');
    const fitting = slotsThatFit(message);
    expect(fitting).toBeGreaterThan(100);
    expectToBeTrue(config);
  });

  /**
   * So many are held, and hardly more. V8 takes addresses anywhere and at any time, so what fitted a moment ago may not: then it
   * is asked anew, and has to be right once.
   */
  function expectToBeTrue(config: MemoryPoolConfig): void {
    for (let attempt = 0; ; attempt++) {
      const fitting = slotsThatFit(refusal(config).message);
      try {
        MemoryPool.create({ ...config, memoryProtectionKeys: 'disable', totalMemories: fitting }).close();
        refusal({ ...config, totalMemories: fitting + 8 });
        return;
      } catch (error) {
        if (attempt === 4) throw error;
      }
    }
  }

  it('leaves nothing behind: as many fit afterwards', () => {
    const before = slotsThatFit(refusal({ totalMemories: 100_000 }).message);
    const after = slotsThatFit(refusal({ totalMemories: 100_000 }).message);
    expect(Math.abs(after - before)).toBeLessThanOrEqual(1);
  });

  it('may have no number of slots that would fit', () => {
    const bytes = 2 ** 50;
    const { message } = refusal({ maxMemorySize: bytes, memoryReservation: bytes, totalMemories: 3 });
    expect(slotsThatFit(message)).toBe(0);
  });
});

describe('the distance between two slots', () => {
  const sizes = [0, 1, 4096, PAGE, 3 * PAGE + 1];
  const settings = sizes.flatMap((maxMemorySize) =>
    sizes.flatMap((memoryReservation) =>
      sizes.map((memoryGuardSize) => ({ maxMemorySize, memoryReservation, memoryGuardSize })),
    ),
  );

  it('is never less than reservation and guard together, whatever the settings', () => {
    for (const setting of settings) {
      if (setting.maxMemorySize > setting.memoryReservation) {
        expect(() => smallPool(setting)).toThrow(/maxMemorySize.*memoryReservation/);
        continue;
      }
      using pool = smallPool(setting);
      const { layout } = pool;
      const wanted = setting.memoryReservation + setting.memoryGuardSize;
      expect(layout.slotOffset(2) - layout.slotOffset(1)).toBeGreaterThanOrEqual(wanted);
      expect(layout.totalSlabBytes - layout.slotOffset(2)).toBeGreaterThanOrEqual(wanted);
      expect(layout.slotOffset(0)).toBeGreaterThanOrEqual(setting.memoryGuardSize);
    }
  });
});

/** Runs a fixture in a shell that has lowered a limit first; returns what it printed. */
function limited(limit: string, ...args: string[]): string {
  const fixture = join(import.meta.dirname, '..', 'fixtures', 'limits.mjs');
  const command = `ulimit ${limit} && exec "$@"`;
  const child = spawnSync('sh', ['-c', command, 'sh', process.execPath, fixture, ...args], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`${child.signal ?? child.status}: ${child.stderr}`);
  return child.stdout;
}

describe('a limit of the process', () => {
  it('on address space is named by a pool that is larger, with what would fit', () => {
    const { message, created } = JSON.parse(limited(`-v ${16 * 2 ** 20}`, 'slab')) as {
      message: string;
      created: number;
    };
    expect(message).toContain('RLIMIT_AS 0x400000000 (16 GiB)');
    expect(slotsThatFit(message)).toBeGreaterThan(0);
    expect(slotsThatFit(message)).toBeLessThan(16);
    expect(created).toBe(slotsThatFit(message));
  });

  it('that is half reached is not blamed for a refusal', () => {
    const { code, message } = JSON.parse(limited(`-v ${16 * 2 ** 20}`, 'half')) as {
      code: string;
      message: string;
    };
    expect(code).toBe('ENOMEM');
    expect(message).toContain('No limit of this process is near');
    expect(message).not.toContain('RLIMIT_AS');
  });

  it('on data is named by an allocation and by a grow, and the pool lives on', () => {
    const { held, allocation, growth, again } = JSON.parse(limited(`-d ${8 * 2 ** 20}`, 'data')) as {
      held: number;
      allocation: Record<string, unknown>;
      growth: Record<string, unknown>;
      again: boolean;
    };
    expect(held).toBeGreaterThan(0);
    for (const error of [allocation, growth]) {
      expect(error).toMatchObject({ name: 'SystemError', code: 'ENOMEM', cause: true });
      expect(error['message']).toMatch(/^Cannot (allocate|grow) .*slot \d+: ENOMEM.*RLIMIT_DATA/);
    }
    expect(again).toBe(true);
  });

  const { maxMapCount } = host();
  const obstacle =
    maxMapCount === undefined || maxMapCount > 100_000
      ? `vm.max_map_count is ${maxMapCount}, more than this test fills`
      : undefined;

  it(
    'on mappings is named by an allocation, and the pool lives on',
    needing(obstacle, () => {
      const { error, held, right, again } = JSON.parse(limited('-c 0', 'mappings')) as {
        error: Record<string, unknown>;
        held: number;
        right: number;
        again: number;
      };
      expect(held).toBeGreaterThan(1000);
      expect(error['code']).toMatch(/^(ENOMEM|ERR_POOL_MAPPINGS)$/);
      expect(error['message']).toContain('vm.max_map_count');
      expect(right).toBe(held);
      expect(again).toBe(held - 1);
    }),
  );
});
