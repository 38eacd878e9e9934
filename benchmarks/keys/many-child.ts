/**
 * Holds so many memories, each with a page of its own written, and verifies them when it is told to.
 *
 *     many-child.ts <number of memories>
 */
import { describeMemory, MemoryPool, type PooledMemory } from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import type { Many, Message } from './many.ts';

const PAGE = 65_536;
const PROGRESS_EVERY = 20_000;
const numMemories = Number(process.argv[2]);
const start = performance.now();

const pool = MemoryPool.create({
  totalMemories: numMemories,
  maxMemorySize: 16 * 2 ** 20,
  memoryReservation: 4 * 2 ** 30,
  memoryGuardSize: PAGE,
  memoryProtectionKeys: 'enable',
});
const { layout } = pool;
const module = describeMemory({ initial: 1, maximum: 256 });
const stores = Array.from({ length: layout.numStripes }, () => pool.openStore());
const memories: PooledMemory[] = [];
for (let i = 0; i < numMemories; i++) {
  const memory = stores[i % stores.length]!.allocate({ module });
  touch(memory, (words) => (words[1] = mark(memory)));
  memories.push(memory);
  if (memories.length % PROGRESS_EVERY === 0) say(`holds ${memories.length}`);
}
process.send?.({ kind: 'held' } satisfies Message);
await once(process, 'message');

const slots = new Set<number>();
for (const memory of memories) {
  touch(memory, (words) => {
    if (words[0] === 0 && words[1] === mark(memory)) slots.add(memory.slot);
  });
}
say(`verified ${slots.size}`);
const many: Many = {
  verified: slots.size,
  numStripes: layout.numStripes,
  slabBytes: layout.totalSlabBytes,
  mappings: countMappings(),
  residentBytes: process.memoryUsage().rss,
  freeBytes: freemem(),
  seconds: (performance.now() - start) / 1000,
};
process.send?.({ kind: 'verified', many } satisfies Message);
await once(process, 'disconnect');

/** A small view: the whole memory's would be counted by V8, hundreds of thousands of times. */
function touch(memory: PooledMemory, use: (words: Uint32Array) => void): void {
  const view = createView(memory.address, 8);
  use(new Uint32Array(view));
  detachView(view);
}

/** Different in each memory, and never 0. */
function mark({ slot }: PooledMemory): number {
  return ((slot + 1) * 2654435761) >>> 0;
}

function countMappings(): number {
  const [, count] = /^VmPTE:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  say(`page tables: ${count} KiB`);
  let lines = 0;
  for (const byte of readFileSync('/proc/self/maps')) if (byte === 10) lines++;
  return lines;
}

function say(what: string): void {
  console.log(`process ${process.pid} ${what}, ${Math.round((performance.now() - start) / 1000)} s`);
}
