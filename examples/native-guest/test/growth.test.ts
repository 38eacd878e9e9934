/** `memory.grow`, from inside the guest and from outside, allowed and denied. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GuestModule } from '../src/guest-module.ts';
import { faultsInstance, faultsModule, trapOf } from './support/faults.ts';
import { describeGuests, smallPool } from './support/prepared.ts';

const PAGE = 65_536;
const never = { memoryGrowing: (current: number) => current === 0 };

describeGuests('growth', () => {
  let module: GuestModule;
  beforeAll(() => {
    module = faultsModule();
  });
  afterAll(() => module?.close());

  it('from inside grows the pooled memory', () => {
    using pool = smallPool();
    using guest = faultsInstance(module, pool);
    const { exports, pooledMemory } = guest;
    const before = pooledMemory.buffer;
    trapOf(() => exports['load8']?.(PAGE));

    expect(exports['grow']?.(2)).toBe(1);

    expect(exports['pages']?.()).toBe(3);
    expect(pooledMemory.byteLength).toBe(3 * PAGE);
    expect(before.detached).toBe(true);
    expect(exports['load8']?.(3 * PAGE - 1)).toBe(0);
    exports['store8']?.(3 * PAGE - 1, 200);
    expect(new Uint8Array(exports.memory.buffer)[3 * PAGE - 1]).toBe(200);
    expect(trapOf(() => exports['load8']?.(3 * PAGE)).fault).toMatchObject({ bytesPastEnd: 0 });
  });

  it('from outside is seen inside', () => {
    using pool = smallPool();
    using guest = faultsInstance(module, pool);
    expect(guest.exports.memory.grow(1)).toBe(1);
    expect(guest.grow(1)).toBe(2);
    expect(guest.exports['pages']?.()).toBe(3);
    expect(guest.exports['load8']?.(3 * PAGE - 1)).toBe(0);
    // Checked by the instruction itself, against the size that the guest knows.
    guest.exports['fill']?.(0, 7, 3 * PAGE);
    expect(() => guest.grow(2)).toThrow(RangeError);
    expect(guest.exports['pages']?.()).toBe(3);
  });

  it('that is denied returns -1 and changes nothing: past the maximum of the module', () => {
    using pool = smallPool();
    using guest = faultsInstance(module, pool);
    for (const pages of [4, 65_536, -1]) expect(guest.exports['grow']?.(pages)).toBe(-1);
    expect(guest.exports['pages']?.()).toBe(1);
    expect(guest.exports['grow']?.(3)).toBe(1);
    expect(guest.exports['grow']?.(1)).toBe(-1);
    expect(guest.exports['grow']?.(0)).toBe(4);
  });

  it('that is denied returns -1: past the maximum of the pool', () => {
    using pool = smallPool({ maxMemorySize: 2 * PAGE });
    using guest = faultsInstance(module, pool);
    expect(guest.exports['grow']?.(2)).toBe(-1);
    expect(guest.exports['grow']?.(1)).toBe(1);
    expect(guest.exports['grow']?.(1)).toBe(-1);
    expect(guest.pooledMemory.byteLength).toBe(2 * PAGE);
  });

  it('that is denied returns -1: by the limiter of the store', () => {
    using pool = smallPool();
    using store = pool.openStore({ limiter: never });
    const guest = faultsInstance(module, pool, { store });
    expect(guest.exports['grow']?.(1)).toBe(-1);
    expect(guest.exports['pages']?.()).toBe(1);
    guest.free();
  });

  it('ends the guest if the limiter throws, with that error', () => {
    using pool = smallPool();
    const broken = new Error('the limiter is broken');
    using store = pool.openStore({
      limiter: {
        memoryGrowing: (current) => {
          if (current === 0) return true;
          throw broken;
        },
      },
    });
    const guest = faultsInstance(module, pool, { store });
    expect(() => guest.exports['grow']?.(1)).toThrow(broken);
    expect(guest.exports['pages']?.()).toBe(1);
    guest.free();
  });
});
