/** A map that is closed, resized or dropped while an asynchronous call of it runs. */

import { readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Mmap, MmapBusyError, MmapClosedError, platform } from '../src/index.js';
import { fixtureJson } from './support/child.js';
import { FaultyMemory } from './support/faulty.js';
import { temporaryFiles } from './support/files.js';
import { HeldMemory } from './support/held.js';
import { isMapped } from './support/process-maps.js';

const { pageSize } = platform();

/** 1 if the page at an address is in memory. */
function residentAt(address: number): number | undefined {
  const answer = new Uint8Array(1);
  platform().resident(address, pageSize, answer);
  return answer[0];
}
const write = temporaryFiles();

describe('while an asynchronous call runs', () => {
  it('close detaches at once and leaves the pages until the last call ends', async () => {
    const held = new HeldMemory();
    const map = Mmap.anonymous(3 * pageSize, { virtualMemory: held.virtualMemory });
    const view = map.view();
    new Uint8Array(view).fill(1);
    const calls = [map.syncAsync(), map.adviseAsync(0, pageSize, 'willneed'), map.syncAsync(1, 1)];
    map.close();
    expect([map.closed, view.detached, isMapped(map.address)]).toEqual([true, true, true]);
    expect(() => map.view()).toThrow(MmapClosedError);
    await expect(map.syncAsync()).rejects.toThrow(MmapClosedError);
    map.close();
    expect(residentAt(map.address)).toBe(1);
    held.letGo();
    await Promise.all(calls);
    // Its view is not collected yet: zeros lie there.
    expect(residentAt(map.address)).toBe(0);
    map.close();
  });

  it('the file of a resizable map is closed with the pages', async () => {
    const held = new HeldMemory();
    const { virtualMemory } = held;
    const path = write('held', new Uint8Array(pageSize));
    const before = readdirSync('/proc/self/fd').length;
    const map = Mmap.fromFile(path, { resizable: true, virtualMemory });
    const call = map.syncAsync();
    map.close();
    expect(readdirSync('/proc/self/fd').length).toBe(before + 1);
    held.letGo();
    await call;
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('a resize is refused, and works afterwards', async () => {
    const held = new HeldMemory();
    using map = Mmap.anonymous(3 * pageSize, { virtualMemory: held.virtualMemory });
    const view = map.view();
    const call = map.syncAsync();
    expect(() => map.resize(6 * pageSize)).toThrow(MmapBusyError);
    expect(() => map.resize(6 * pageSize)).toThrow(
      expect.objectContaining({ name: 'MmapBusyError', code: 'ERR_MMAP_BUSY' }) as Error,
    );
    expect([view.detached, map.byteLength]).toEqual([false, 3 * pageSize]);
    held.letGo();
    await call;
    map.resize(6 * pageSize);
    expect(map.byteLength).toBe(6 * pageSize);
  });

  it('a call that fails lets go as well', async () => {
    const faulty = new FaultyMemory();
    const map = Mmap.anonymous(3 * pageSize, { virtualMemory: faulty.virtualMemory });
    faulty.fail('syncAsync', 'adviseAsync');
    const calls = [map.syncAsync(), map.adviseAsync(0, pageSize, 'cold')];
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    map.resize(2 * pageSize);
    map.close();
    expect(isMapped(map.address)).toBe(false);
  });

  it('a late unmap that is refused can be tried again', async () => {
    const held = new HeldMemory();
    const faulty = new FaultyMemory();
    const { virtualMemory } = faulty;
    const map = Mmap.anonymous(3 * pageSize, {
      virtualMemory: Object.create(virtualMemory, {
        syncAsync: {
          value: (start: number, byteLength: number) => held.virtualMemory.syncAsync(start, byteLength),
        },
      }) as typeof virtualMemory,
    });
    const call = map.syncAsync();
    map.close();
    faulty.fail('unmap');
    held.letGo();
    await call;
    expect([map.closed, isMapped(map.address)]).toEqual([true, true]);
    expect(() => map.close()).toThrow(/injected-unmap/);
    expect(map.closed).toBe(true);
    faulty.heal();
    map.close();
    expect(isMapped(map.address)).toBe(false);
  });

  it('more calls at once than koffi runs are refused, and none is lost count of', async () => {
    const map = Mmap.anonymous(3 * pageSize);
    const results = await Promise.allSettled(Array.from({ length: 2000 }, () => map.syncAsync()));
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    map.resize(4 * pageSize);
    map.close();
    expect(isMapped(map.address)).toBe(false);
  });

  it('nobody holds the map: it is collected after the call, not during it', () => {
    expect(fixtureJson('pending-leak.mjs', [], ['--expose-gc'])).toEqual({
      mappedDuring: true,
      result: 'ended',
      mappedAfter: false,
    });
  });
});
