/** Small pools and memories for tests: three slots at least, so that a wrong neighbour is noticed. */
import { setImmediate } from 'node:timers/promises';
import { platform, type VirtualMemory } from '@guardstripe/mmap';
import { afterAll } from 'vitest';
import {
  describeMemory,
  MemoryPool,
  type MemoryPoolConfig,
  type PooledMemory,
  type PoolModule,
} from '../../src/index.js';
import { poolCoreOf } from '../../src/pool.js';

export const PAGE = 65_536;
export const HOST_PAGE = 4096;

const described: PoolModule[] = [];
afterAll(() => {
  for (const module of described.splice(0)) module.close();
});

/** A pool of three slots of at most eight pages, with small guards, in one stripe whatever the machine has. */
export function smallPool(config: MemoryPoolConfig = {}): MemoryPool {
  return MemoryPool.create({
    totalMemories: 3,
    maxMemorySize: 8 * PAGE,
    memoryReservation: 8 * PAGE,
    memoryGuardSize: PAGE,
    memoryProtectionKeys: 'disable',
    // What nothing is kept of is the same on every kernel; tests of resets say what they keep.
    linearMemoryKeepResident: 0,
    ...config,
  });
}

/** The ways to close slots that this kernel has, as the setting that asks for each. */
export const CLOSINGS: readonly ('disable' | 'enable')[] = platform().canGuardPages
  ? ['disable', 'enable']
  : ['disable'];

/** The same pools, with slots that are closed by guard markers; none where the kernel has no `MADV_GUARD_INSTALL` (Linux 6.13). */
export function withGuards(pools: Record<string, MemoryPoolConfig>): Record<string, MemoryPoolConfig> {
  if (!platform().canGuardPages) return {};
  const guarded = (config: MemoryPoolConfig): MemoryPoolConfig => ({ ...config, guardPages: 'enable' });
  return Object.fromEntries(Object.entries(pools).map(([name, config]) => [name, guarded(config)]));
}

/** A module whose memory starts with `byteLength` bytes of `value` at `offset`. */
export function imageModule(
  value: number,
  options: {
    initial?: number;
    maximum?: number;
    byteLength?: number;
    offset?: number;
    virtualMemory?: VirtualMemory;
  } = {},
): PoolModule {
  const {
    initial = 2,
    maximum = 8,
    byteLength = HOST_PAGE,
    offset = 0,
    virtualMemory = platform(),
  } = options;
  const bytes = new Uint8Array(byteLength).fill(value);
  const description = { initial, maximum, contents: bytes, contentsOffset: offset };
  return closedLater(describeMemory(description, { virtualMemory }));
}

/** A module whose memory starts as zeros. */
export function zeroModule(initial = 2, maximum = 8): PoolModule {
  return describeMemory({ initial, maximum });
}

/** Has a module closed after the file's tests. */
export function closedLater(module: PoolModule): PoolModule {
  described.push(module);
  return module;
}

/** The bytes that a fresh memory of {@link imageModule} must have. */
export function imageBytes(
  value: number,
  options: { initial?: number; byteLength?: number; offset?: number } = {},
): Uint8Array {
  const { initial = 2, byteLength = HOST_PAGE, offset = 0 } = options;
  return new Uint8Array(initial * PAGE).fill(value, offset, offset + byteLength);
}

/** A copy of all bytes of a memory, as a Buffer, whose `equals` is quick. */
export function contents(memory: PooledMemory): Buffer {
  return Buffer.from(memory.read(0, memory.byteLength).buffer);
}

/** Writes `value` over the whole memory. */
export function scribble(memory: PooledMemory, value = 0xee): void {
  memory.fill(value, 0, memory.byteLength);
}

/** Writes `value` into the first byte of each of the host pages, and nowhere else. */
export function dirtyPages(memory: PooledMemory, pages: Iterable<number>, value = 0xdd): void {
  for (const page of pages) memory.fill(value, page * HOST_PAGE, 1);
}

/** Checks what must hold between any two calls: no slot lost, none in two hands. */
export function checkBooks(pool: MemoryPool): void {
  poolCoreOf(pool).checkConsistency();
}

/** Lets one turn of the event loop pass, and more as long as something is due: who waits in a shared pool is called in a later one. */
export async function turnsWhile(isDue: () => boolean): Promise<void> {
  let turns = 0;
  do await setImmediate();
  while (isDue() && turns++ < 200);
}
