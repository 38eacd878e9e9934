/** What of a pool's slots is really in memory, asked of the kernel and not of the pool. */
import { platform } from '@guardstripe/mmap';
import type { MemoryPool } from '../../src/index.js';

const MAX_REGIONS = 512;

/** Bytes of the slot that hold something of their own: written, neither the zero page nor a page of the image's file. */
export function residentBytes(pool: MemoryPool, slot: number): number {
  const dirty = {
    starts: new Float64Array(MAX_REGIONS),
    ends: new Float64Array(MAX_REGIONS),
    count: 0,
    walkEnd: 0,
  };
  const address = pool.slabAddress + pool.layout.slotOffset(slot);
  platform().scanDirtyPages(address, pool.layout.maxMemoryBytes, 0, dirty);
  if (dirty.walkEnd !== address + pool.layout.maxMemoryBytes) throw new Error('More regions than expected');
  let bytes = 0;
  for (let i = 0; i < dirty.count; i++) bytes += dirty.ends[i]! - dirty.starts[i]!;
  return bytes;
}
