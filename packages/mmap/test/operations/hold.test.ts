import { collect } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { Mmap, MmapBusyError, platform } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { isMapped } from '../support/process-maps.js';

const { pageSize } = platform();

describe('hold', () => {
  it('keeps the pages of a closed map until the last hold is released', async () => {
    const map = Mmap.anonymous(3 * pageSize);
    map.write(0, Uint8Array.of(42));
    const holds = [map.hold(), map.hold(), map.hold()];
    const { address } = map;
    expect(() => map.resize(6 * pageSize)).toThrow(MmapBusyError);
    let isClosed = false;
    const closing = map.closeAsync().then(() => (isClosed = true));
    expect(map.closed).toBe(true);
    holds[1]!.release();
    holds[1]!.release();
    holds[0]!.release();
    await Promise.resolve();
    expect([isMapped(address), isClosed, holds[2]!.released]).toEqual([true, false, false]);
    holds[2]!.release();
    await closing;
    expect(isMapped(address)).toBe(false);
    expect(() => map.hold()).toThrow(expect.objectContaining({ code: 'ERR_MMAP_CLOSED' }) as Error);
  });

  it('keeps a map that nobody has any more, with its hold neither', async () => {
    const address = (() => {
      const map = Mmap.anonymous(3 * pageSize);
      map.hold();
      return map.address;
    })();
    expect(await collect(() => !isMapped(address), 10)).toBe(false);
    platform().unmap(address, 3 * pageSize);
  });

  it('closing waits also for asynchronous calls, works with await using, and says what the system refuses', async () => {
    const faulty = new FaultyMemory();
    const map = Mmap.anonymous(3 * pageSize, { virtualMemory: faulty.virtualMemory });
    {
      await using closes = map;
      void closes.syncAsync();
      expect(closes.closed).toBe(false);
    }
    expect(isMapped(map.address)).toBe(false);
    await map.closeAsync();
    const other = Mmap.anonymous(3 * pageSize, { virtualMemory: faulty.virtualMemory });
    const hold = other.hold();
    const closing = other.closeAsync();
    faulty.fail('unmap');
    hold.release();
    await expect(closing).rejects.toThrow(/injected-unmap/);
    faulty.heal();
    await other.closeAsync();
    expect(isMapped(other.address)).toBe(false);
  });
});
