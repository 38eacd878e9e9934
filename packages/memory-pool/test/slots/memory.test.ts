import { constants } from 'node:os';
import { platform, SystemError, type VirtualMemory } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { checkBooks, HOST_PAGE, PAGE, smallPool, zeroModule } from '../support/memories.js';

/** Primitives of which each change of protection is made for `doneBytes` of its range, and then refused, when it is told to. */
function halfDone(): { virtualMemory: VirtualMemory; refuse: (times: number, doneBytes: number) => void } {
  const real = platform();
  let refusals = 0;
  let done = 0;
  const virtualMemory = Object.assign(Object.create(real) as VirtualMemory, {
    protect: (...[address, byteLength, access]: Parameters<VirtualMemory['protect']>) => {
      if (refusals-- <= 0) {
        real.protect(address, byteLength, access);
        return;
      }
      if (done > 0) real.protect(address, Math.min(done, byteLength), access);
      throw new SystemError(constants.errno.ENOMEM, { syscall: 'mprotect', address, byteLength });
    },
  });
  const refuse = (times: number, doneBytes: number) => {
    refusals = times;
    done = doneBytes;
  };
  return { virtualMemory, refuse };
}

describe('a grow that the system makes half and refuses', () => {
  it('leaves the memory closed behind its end, and is laid over before its next use', () => {
    const { virtualMemory, refuse } = halfDone();
    using pool = smallPool({ virtualMemory });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(2) });
    const { address } = memory;
    refuse(1, 3 * HOST_PAGE);
    expect(() => memory.grow(4)).toThrow(SystemError);
    expect(memory.byteLength).toBe(2 * PAGE);
    expect(platform().accessOf(address, 8 * PAGE)).toEqual([
      { address, byteLength: 2 * PAGE, access: 'read-write' },
      { address: address + 2 * PAGE, byteLength: 6 * PAGE, access: 'none' },
    ]);
    // It can grow all the same, and what it grew into is clean.
    memory.grow(6);
    expect(new Uint8Array(memory.unsafeBuffer).every((byte) => byte === 0)).toBe(true);
    memory.free();
    expect(pool.metrics().failedResets).toBe(1);
    checkBooks(pool);
  });

  it('is open past its end only if shutting it again is refused, too, and then until it is freed', () => {
    const { virtualMemory, refuse } = halfDone();
    using pool = smallPool({ virtualMemory, totalMemories: 1 });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(2) });
    const { address } = memory;
    refuse(2, 3 * HOST_PAGE);
    expect(() => memory.grow(4)).toThrow(SystemError);
    memory.free();
    store.allocate({ module: zeroModule(1) });
    expect(platform().accessOf(address, 8 * PAGE)).toEqual([
      { address, byteLength: PAGE, access: 'read-write' },
      { address: address + PAGE, byteLength: 7 * PAGE, access: 'none' },
    ]);
    checkBooks(pool);
  });
});
