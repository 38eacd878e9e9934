/** A guest, or a host around it, that does the worst in the worst moment. No other tenant notices. */
import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { describeMemory, type MemoryPool, type PooledMemory, type Store } from '@guardstripe/memory-pool';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileGuest } from '../src/compile.ts';
import { GuestFreedError, GuestInstance } from '../src/guest-instance.ts';
import { GuestModule } from '../src/guest-module.ts';
import { trapOf } from './support/faults.ts';
import { describeGuests, guests, smallPool } from './support/prepared.ts';

const PAGE = 65_536;
const SECRET = 0x53;

describeGuests('a hostile guest', () => {
  let module: GuestModule;
  let pool: MemoryPool;
  let store: Store;
  let thief: PooledMemory | undefined;

  beforeAll(() => {
    module = GuestModule.load(guests().hostile);
  });
  afterAll(() => module?.close());
  beforeEach(() => {
    pool = smallPool({ totalMemories: 1 });
    store = pool.openStore();
    thief = undefined;
  });
  afterEach(() => pool?.close({ force: true }));

  const instance = (ask: (value: number) => unknown = Math.abs): GuestInstance =>
    module.instantiate({ pool, store, imports: { env: { ask } } });
  /** Ends the guest's store, and another tenant gets the slot. */
  const replaceTenant = (): void => {
    store.dispose();
    thief = pool.openStore().allocate({ module: describeMemory({ initial: 1 }) });
    thief.fill(SECRET, 0, PAGE);
  };
  const expectUntouched = (): void => {
    expect(thief?.read(0, PAGE).every((byte) => byte === SECRET)).toBe(true);
  };
  const valueOf = (act: () => void) => ({
    valueOf: () => {
      act();
      return 1;
    },
  });

  describe('whose slot is given to another tenant while it runs', () => {
    it('ends, if the answer of an imported function does that when it is made a number', () => {
      const guest = instance((value) => (value === 20 ? 0 : valueOf(replaceTenant)));
      expect(() => guest.exports['ask_then_swap']?.(1)).toThrow(GuestFreedError);
      expectUntouched();
    });

    it('does not start, if an argument does that', () => {
      const guest = instance();
      expect(() => guest.exports['store8']?.(valueOf(replaceTenant), 0x41)).toThrow(GuestFreedError);
      expectUntouched();
    });

    it('does not start, if an argument frees it', () => {
      const guest = instance();
      expect(() =>
        guest.exports['store8']?.(
          valueOf(() => guest.free()),
          0x41,
        ),
      ).toThrow(GuestFreedError);
      expect(pool.isEmpty).toBe(true);
    });

    it.each([true, false])('ends, if a limiter does that and says %s', (answer) => {
      const memoryGrowing = (current: number): boolean => {
        if (current > 0) replaceTenant();
        return current === 0 || answer;
      };
      store = pool.openStore({ limiter: { memoryGrowing } });
      const guest = instance();
      expect(() => guest.exports['grow_then_swap']?.(1)).toThrow(/freed/);
      expectUntouched();
    });

    it('ends, if who listens to growths does that', () => {
      const guest = instance();
      const listen = (): void => replaceTenant();
      subscribe('guardstripe.memory-pool.grow', listen);
      try {
        expect(() => guest.exports['grow_then_swap']?.(1)).toThrow(GuestFreedError);
      } finally {
        unsubscribe('guardstripe.memory-pool.grow', listen);
      }
      expectUntouched();
    });

    it('is not grown, if who listens to growths frees it', () => {
      const guest = instance();
      const listen = (): void => guest.free();
      subscribe('guardstripe.memory-pool.grow', listen);
      try {
        expect(() => guest.grow(1)).toThrow(GuestFreedError);
      } finally {
        unsubscribe('guardstripe.memory-pool.grow', listen);
      }
      expect(pool.isEmpty).toBe(true);
    });
  });

  it('knows the size that a growth inside of a growth has made', () => {
    const guest = instance();
    const listen = (): void => {
      if (guest.pooledMemory.byteLength === 2 * PAGE) guest.grow(1);
    };
    subscribe('guardstripe.memory-pool.grow', listen);
    try {
      expect(guest.grow(1)).toBe(1);
    } finally {
      unsubscribe('guardstripe.memory-pool.grow', listen);
    }
    expect(guest.pooledMemory.byteLength).toBe(3 * PAGE);
    expect(guest.exports['pages']?.()).toBe(3);
  });

  it('may call the host from its start function', () => {
    expect(instance((value) => value + 1).exports['started']?.()).toBe(21);
  });

  it('is not made, if the host fails in its start function', () => {
    const failed = new Error('failed');
    expect(() =>
      instance(() => {
        throw failed;
      }),
    ).toThrow(failed);
    expect(pool.metrics().liveMemories).toBe(0);
  });

  it('ends with a function of the host that is cut off, and can be freed', () => {
    let calls = 0;
    const guest = instance((value) => {
      if (value === 20) return 0;
      calls++;
      for (;;);
    });
    Object.assign(globalThis, { callOfHostileGuest: () => guest.exports['ask_for_ever']?.() });
    for (let round = 1; round <= 3; round++) {
      expect(() => runInThisContext('callOfHostileGuest()', { timeout: 20 })).toThrow(/timed out/);
      expect(calls).toBe(round);
    }
    expect(guest.exports['pages']?.()).toBe(1);
    guest.free();
    expect(pool.isEmpty).toBe(true);
  });

  it('has tables as long as V8 lets them be', () => {
    const guest = instance();
    expect(guest.exports['grow_table']?.(9_999_998)).toBe(2);
    for (const more of [1, 10_000_000, -1, -(2 ** 31)]) expect(guest.exports['grow_table']?.(more)).toBe(-1);
    expect(trapOf(() => guest.exports['call_entry']?.(9_999_999)).reason).toBe('invalid indirect call');
  });

  it('gets no bigint for a float, as from V8', () => {
    const guest = instance();
    expect(() => guest.exports['double']?.(1n)).toThrow(TypeError);
    expect(guest.exports['double']?.('1.5')).toBe(1.5);
  });

  it('is not made in the memory of a pool that was not checked', () => {
    using other = smallPool({ totalMemories: 1 });
    expect(() => module.instantiate({ pool: other, store, imports: { env: { ask: Math.abs } } })).toThrow(
      TypeError,
    );
    expect(pool.isEmpty).toBe(true);
  });

  // In a child process, as what follows: a fault of the host is nobody's, and ends it.
  it.each(['recurse_asking', 'recurse_growing'])('runs out of stack, not the host: %s', (name) => {
    const child = join(import.meta.dirname, 'fixtures', 'end-of-stack.ts');
    const args = [child, JSON.stringify(guests().hostile), name];
    const { stdout, stderr, signal } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 110_000,
    });
    expect({ stdout, signal, stderr }).toEqual({
      stdout: 'call stack exhausted\n'.repeat(3),
      signal: null,
      stderr: '',
    });
  });

  it('leaves room for signal handlers at the end of its stack', () => {
    const child = join(import.meta.dirname, 'fixtures', 'signals-at-the-end.ts');
    const args = [child, JSON.stringify(guests().hostile)];
    const { stdout, signal } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000 });
    expect({ stdout, signal }).toEqual({ stdout: 'alive, and signals still arrive\n', signal: null });
  });
});

describeGuests('a module whose names are code', () => {
  const encoder = new TextEncoder();
  const section = (id: number, ...bytes: readonly number[]): number[] => [id, bytes.length, ...bytes];
  const named = (text: string): number[] => {
    const bytes = [...encoder.encode(text)];
    return [bytes.length, ...bytes];
  };
  /** `(module (import from name (func)) (memory 1) (export as (func 0)))` */
  const moduleOf = (from: string, name: string, as: string): Uint8Array =>
    Uint8Array.of(
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, 1, 0x60, 0, 0),
      ...section(2, 1, ...named(from), ...named(name), 0, 0),
      ...section(5, 1, 0, 1),
      ...section(7, 1, ...named(as), 0, 0),
    );

  it.each([
    ['env', 'f', '*/ #error compiled /*'],
    ['env', 'f', 'a\nb'],
    ['env', '*/ #error compiled /*', 'f'],
    ['*/ #error compiled /*', 'f', 'f'],
    ['env', 'two\r\nlines', 'f'],
    ['env', "a' 'b", 'f'],
    ["env' 'a", 'b', 'f'],
  ])('is not compiled: %j %j %j', async (from, name, as) => {
    await expect(compileGuest('names', moduleOf(from, name, as))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED_GUEST',
    });
  });
});
