/** Instances: host functions, ends, refusals. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GuestFreedError, GuestInstance, GuestRunningError } from '../src/guest-instance.ts';
import { GuardTooSmallError, GuestModule } from '../src/guest-module.ts';
import { TrapError } from '../src/trap-error.ts';
import { faultsInstance, faultsModule, trapOf } from './support/faults.ts';
import { describeGuests, guests, smallPool } from './support/prepared.ts';

describeGuests('an instance', () => {
  let module: GuestModule;
  beforeAll(() => {
    module = faultsModule();
  });
  afterAll(() => module?.close());

  it('passes on what a host function throws, as it is', () => {
    using pool = smallPool();
    const thrown = new Error('thrown');
    using guest = faultsInstance(module, pool, {
      ask: () => {
        throw thrown;
      },
    });
    expect(() => guest.exports['ask_then_load']?.(1)).toThrow(thrown);
    expect(guest.exports['count']?.()).toBe(1);
  });

  it('goes on after a trap of another guest that its host function called', () => {
    using pool = smallPool();
    using inner = faultsInstance(module, pool);
    const seen: TrapError[] = [];
    using outer = faultsInstance(module, pool, {
      ask: (value) => {
        seen.push(trapOf(() => inner.exports['load8']?.(-1)));
        return value;
      },
    });
    expect(outer.exports['ask_then_load']?.(16)).toBe('g'.charCodeAt(0));
    expect(seen[0]).toMatchObject({ slot: inner.pooledMemory.slot });
    expect(trapOf(() => outer.exports['ask_then_load']?.(-1))).toMatchObject({
      slot: outer.pooledMemory.slot,
    });
  });

  it('calls itself through a host function, many levels deep', () => {
    using pool = smallPool();
    let depth = 0;
    using guest: GuestInstance = faultsInstance(module, pool, {
      ask: (value) => {
        if (depth === 20) return -1;
        depth++;
        const error = trapOf(() => guest.exports['ask_then_load']?.(value));
        expect(error.reason).toBe('memory access out of bounds');
        return -1;
      },
    });
    trapOf(() => guest.exports['ask_then_load']?.(1));
    expect(depth).toBe(20);
    expect(guest.exports['load8']?.(16)).toBe('g'.charCodeAt(0));
  });

  it('cannot be freed by a function that it called', () => {
    using pool = smallPool();
    using guest: GuestInstance = faultsInstance(module, pool, {
      ask: () => {
        guest.free();
        return 1;
      },
    });
    expect(() => guest.exports['ask_then_load']?.(1)).toThrow(GuestRunningError);
    expect(guest.freed).toBe(false);
  });

  it('does not go on if its store was disposed by a function that it called', () => {
    using pool = smallPool();
    const store = pool.openStore();
    const guest = faultsInstance(module, pool, {
      store,
      ask: () => {
        store.dispose();
        return 1;
      },
    });
    expect(() => guest.exports['ask_then_load']?.(1)).toThrow(GuestFreedError);
    expect(guest.freed).toBe(true);
    guest.free();
  });

  it('cannot be used once it, its store or its pool is gone', () => {
    using pool = smallPool();
    const store = pool.openStore();
    const [freed, disposed, closed] = [1, 2, 3].map((n) =>
      faultsInstance(module, pool, n === 2 ? { store } : {}),
    ) as [GuestInstance, GuestInstance, GuestInstance];
    freed.free();
    freed.free();
    store.dispose();
    pool.close({ force: true });
    for (const guest of [freed, disposed, closed]) {
      expect(() => guest.exports['count']?.()).toThrow(GuestFreedError);
      expect(() => guest.grow(1)).toThrow(GuestFreedError);
      guest.free();
    }
  });

  it('is refused by a pool whose guard is too small for its code, before anything is taken', () => {
    using pool = smallPool({ memoryGuardSize: 2 ** 24 });
    expect(guests().faults.reachBytes).toBe(2 ** 32 + 2 ** 24 + 8);
    expect(() => faultsInstance(module, pool)).toThrow(GuardTooSmallError);
    expect(pool.isEmpty).toBe(true);
    using enough = smallPool({ memoryGuardSize: 2 ** 24 + 4096 });
    using guest = faultsInstance(module, enough);
    expect(trapOf(() => guest.exports['load8_far']?.(-1)).fault?.bytesPastEnd).toBe(
      2 ** 32 + 2 ** 24 - 1 - 65_536,
    );
  });

  it('is refused without its imports', () => {
    using pool = smallPool();
    const store = pool.openStore();
    expect(() => module.instantiate({ pool, store })).toThrow(/Import "env" "ask" must be a function/);
    expect(pool.isEmpty).toBe(true);
  });
});
