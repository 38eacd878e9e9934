import { constants } from 'node:os';
import { runInThisContext } from 'node:vm';
import { createView, platform, SystemError, type VirtualMemory } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/index.js';
import { checkBooks, HOST_PAGE, imageModule, PAGE, smallPool, zeroModule } from '../support/memories.js';

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

/** Whether a memory of the slot's next tenant has nothing of the last one's. */
function startsAsZeros(store: Store): boolean {
  const next = store.allocate({ module: zeroModule(4) });
  return next.read(0, 4 * PAGE).every((byte) => byte === 0);
}

describe('a memory whose size changes, and the thread is cut short behind the system call', () => {
  /** Primitives that, once told so, do not come back from a change of protection or of pages: the script is ended in there, by no clock. */
  function noWayBack(): {
    virtualMemory: VirtualMemory;
    hangAt: (access: 'none' | 'read-write' | 'zeros') => void;
  } {
    const real = platform();
    let hangs: string | undefined;
    const hang = (): never => {
      hangs = undefined;
      process.kill(process.pid, 'SIGINT');
      for (;;);
    };
    const virtualMemory = Object.assign(Object.create(real) as VirtualMemory, {
      protect: (...[address, byteLength, access]: Parameters<VirtualMemory['protect']>) => {
        real.protect(address, byteLength, access);
        if (access === hangs) hang();
      },
      mapZeros: (...pages: Parameters<VirtualMemory['mapZeros']>) => {
        real.mapZeros(...pages);
        if (hangs === 'zeros') hang();
      },
    });
    return { virtualMemory, hangAt: (access) => (hangs = access) };
  }

  const cutShort = (fn: () => unknown): void => {
    Object.assign(globalThis, { cutShortByMemoryTest: fn });
    const call = () => runInThisContext('cutShortByMemoryTest()', { breakOnSigint: true });
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_SCRIPT_EXECUTION_INTERRUPTED' }));
  };

  /** Bytes of the slot's start that can be touched. */
  const openBytes = (address: number): number => {
    const [first] = platform().accessOf(address, 8 * PAGE);
    return first?.access === 'read-write' ? first.byteLength : 0;
  };

  it('is not taken for longer than it is, when it got shorter', () => {
    const { virtualMemory, hangAt } = noWayBack();
    using pool = smallPool({ virtualMemory, totalMemories: 1, guardPages: 'disable' });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(1) });
    memory.grow(3);
    memory.fill(7, 0, 4 * PAGE);
    hangAt('none');
    cutShort(() => memory.reset());

    expect(openBytes(memory.address)).toBe(PAGE);
    expect(memory.byteLength).toBe(PAGE);
    expect(memory.read(0, PAGE).every((byte) => byte === 0)).toBe(true);
    memory.discard(0, PAGE);
    memory.snapshot().close();
    memory.grow(1);
    memory.fill(8, 0, 2 * PAGE);
    memory.reset();
    expect(memory.read(0, PAGE).every((byte) => byte === 0)).toBe(true);
    memory.free();
    expect(startsAsZeros(store)).toBe(true);
    checkBooks(pool);
  });

  it('is laid over before its next use, when it got longer: somebody may have written behind its end', () => {
    const { virtualMemory, hangAt } = noWayBack();
    using pool = smallPool({ virtualMemory, totalMemories: 1, guardPages: 'disable' });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(1) });
    const { address } = memory;
    hangAt('read-write');
    cutShort(() => memory.grow(3));
    expect([memory.byteLength, openBytes(address)]).toEqual([PAGE, 4 * PAGE]);
    // What native code can do, there.
    new Uint8Array(createView(address, 4 * PAGE)).fill(9);
    memory.free();
    expect(startsAsZeros(store)).toBe(true);
    checkBooks(pool);
  });

  it('holds no more mappings than its pool counts, when it gets another image: those go again', () => {
    const { virtualMemory, hangAt } = noWayBack();
    using pool = smallPool({ virtualMemory, totalMemories: 1, guardPages: 'disable' });
    const store = pool.openStore();
    store.allocate({ module: imageModule(1, { offset: HOST_PAGE, virtualMemory }) }).free();
    hangAt('zeros');
    cutShort(() => store.allocate({ module: zeroModule() }));

    expect(
      store
        .allocate({ module: zeroModule(4) })
        .read(0, PAGE)
        .every((byte) => byte === 0),
    ).toBe(true);
  });
});
