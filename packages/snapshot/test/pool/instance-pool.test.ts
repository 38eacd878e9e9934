import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { createInstancePool, type InstanceLease } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';
import { WAYS } from '../support/ways.js';

const code = (value: string) => expect.objectContaining({ code: value });
const WASM_PAGE = 65_536;

const prepare = ({ exports }: TestInstance): void => {
  exports.fill(WASM_PAGE, 5, 1000);
  exports.counter.value = 50;
};

describe.each([
  ...WAYS.map((method) => ({ method, fork: false })),
  ...WAYS.map((method) => ({ method, fork: true })),
])('a pool of instances, $method, fork: $fork', ({ method, fork }) => {
  const options = {
    create: () => instantiate(),
    target: ({ instance }: TestInstance) => instance,
    prepare,
    fork,
    snapshot: { method },
  };

  it('hands each out as it was after `prepare`, whatever its last users did', async () => {
    const reference = instantiate();
    prepare(reference);
    const expected = bytesOf(reference.exports.memory);
    await using pool = createInstancePool({ ...options, size: 3 });
    const seen = new Set<TestInstance>();
    for (let round = 0; round < 30; round++) {
      const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
      for (const { instance } of leases) {
        seen.add(instance);
        const now = bytesOf(instance.exports.memory);
        expect(now.subarray(0, expected.length).equals(expected)).toBe(true);
        expect(now.subarray(expected.length).every((byte) => byte === 0)).toBe(true);
        expect(instance.exports.counter.value).toBe(50);
        instance.exports.fill(0, round, now.length);
        instance.exports.counter.value = round;
        if (round % 10 === 0) instance.exports.grow(1);
        instance.exports.poke(instance.exports.memory.buffer.byteLength - 1, 3);
      }
      for (const lease of leases) lease.release();
    }
    expect(seen.size).toBe(3);
    expect(pool.stats).toEqual({ idle: 3, leased: 0, making: 0, waiting: 0, discarded: 0 });
  });
});

describe('a pool of instances', () => {
  const target = ({ instance }: TestInstance): WebAssembly.Instance => instance;
  const create = (): TestInstance => instantiate();

  it('lets whoever comes when all are out wait, in order, and give up by signal', async () => {
    await using pool = createInstancePool({ create, target, size: 2 });
    const held = await Promise.all([pool.acquire(), pool.acquire()]);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (n) => {
      const lease = await pool.acquire();
      order.push(n);
      return lease;
    });
    const giveUp = new AbortController();
    const impatient = pool.acquire({ signal: giveUp.signal });
    const last = pool.acquire();
    await sleep(1);
    expect(pool.stats).toMatchObject({ leased: 2, waiting: 5 });
    giveUp.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    await expect(pool.acquire({ signal: AbortSignal.abort(new Error('late')) })).rejects.toThrow('late');
    held[0]?.release();
    held[0]?.release(); // once is enough
    held[1]?.release();
    for (const each of waiting) (await each).release();
    expect(order).toEqual([1, 2, 3]);
    (await last).release();
    expect(pool.stats).toMatchObject({ idle: 2, leased: 0, waiting: 0 });
  });

  it('makes no more than its size, however many come at once', async () => {
    let made = 0;
    let users = 0;
    let most = 0;
    const slow = async (): Promise<TestInstance> => {
      made += 1;
      await sleep(2);
      return instantiate();
    };
    await using pool = createInstancePool({ create: slow, target, size: 3, fork: true });
    await Promise.all(
      Array.from({ length: 40 }, () =>
        pool.use(async ({ exports }) => {
          users += 1;
          most = Math.max(most, users);
          expect(exports.peek(5)).toBe(0);
          exports.poke(5, 1);
          await sleep(1);
          users -= 1;
        }),
      ),
    );
    expect([made, most]).toEqual([3, 3]);
  });

  it('takes no instance for what is no function', async () => {
    await using pool = createInstancePool({ create: () => instantiate(), target, size: 3 });
    await expect(pool.use(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(pool.stats).toMatchObject({ idle: 0, leased: 0 });
  });

  it('never hands out an instance again whose way back failed, and makes another', async () => {
    const discarded: unknown[] = [];
    const system = new FaultyMemory();
    await using pool = createInstancePool({
      create,
      target,
      prepare,
      size: 1,
      snapshot: { method: 'laid', virtualMemory: system.virtualMemory },
      onDiscard: (error, instance) => discarded.push([error, instance]),
    });
    const lease = await pool.acquire();
    const broken = lease.instance;
    const next = pool.acquire();
    broken.exports.grow(1); // so that the state is to be laid anew
    system.fail('mapFile', 'accessOf', 'mapZeros');
    lease.release();
    system.heal();
    const another = await next;
    expect(another.instance).not.toBe(broken);
    expect(discarded).toEqual([[code('ERR_SNAPSHOT_INCOMPLETE'), broken]]);
    expect(pool.stats).toMatchObject({ leased: 1, discarded: 1 });
    another.release();
  });

  it.each([false, true])('gives up an instance whose table became longer, fork: %s', async (fork) => {
    const discarded: unknown[] = [];
    await using pool = createInstancePool({
      create,
      target,
      prepare: ({ exports }) => void exports.table.grow(1),
      size: 2,
      fork,
      onDiscard: (error, instance) => discarded.push([error, instance]),
    });
    const leases = [await pool.acquire(), await pool.acquire()];
    const grown = leases.map(({ instance }) => instance);
    for (const { exports } of grown) exports.table.set(8, exports.ten);
    for (const lease of leases) lease.release();
    expect(discarded).toEqual([]);
    for (let round = 0; round < 3; round++) {
      const lease = await pool.acquire();
      const { exports } = lease.instance;
      expect([exports.table.length, exports.table.get(8)]).toEqual([9, null]);
      exports.table.grow(round);
      lease.release();
    }
    expect(discarded.map((each) => (each as unknown[])[0])).toEqual([
      code('ERR_SNAPSHOT_INCOMPLETE'),
      code('ERR_SNAPSHOT_INCOMPLETE'),
    ]);
    expect(pool.stats).toMatchObject({ leased: 0, discarded: 2 });
  });

  it('gives up an instance that its user discards', async () => {
    const discarded: unknown[] = [];
    await using pool = createInstancePool({
      create,
      target,
      size: 1,
      onDiscard: (error) => discarded.push(error),
    });
    const lease = await pool.acquire();
    const { instance } = lease;
    const waiting = pool.acquire();
    const trap = new Error('trapped');
    lease.discard(trap);
    lease.discard();
    lease.release();
    const next = await waiting;
    expect(next.instance).not.toBe(instance);
    next.release();
    expect(discarded).toEqual([trap]);
    expect(pool.stats).toEqual({ idle: 1, leased: 0, making: 0, waiting: 0, discarded: 1 });
  });

  it('keeps the lease of a user who is still inside', async () => {
    let during = (): void => {};
    await using pool = createInstancePool({
      create: () => instantiate(undefined, { host: () => during() }),
      target,
      size: 1,
    });
    const lease = await pool.acquire();
    during = () => expect(() => lease.release()).toThrow(code('ERR_SNAPSHOT_CALL_ON_STACK'));
    lease.instance.exports.visit();
    expect([lease.released, pool.stats.leased]).toEqual([false, 1]);
    lease.release();
    expect(() => lease.instance).toThrow(code('ERR_LEASE_RELEASED'));
  });

  it('passes on what `create` and `prepare` throw, and tries again for the next', async () => {
    let attempts = 0;
    for (const fork of [false, true]) {
      attempts = 0;
      await using pool = createInstancePool({
        create: () => {
          attempts += 1;
          if (attempts === 1) throw new Error('no luck');
          return instantiate();
        },
        prepare: () => {
          if (attempts === 2) throw new Error('not yet');
        },
        target,
        size: 2,
        fork,
      });
      await expect(pool.acquire()).rejects.toThrow('no luck');
      await expect(pool.acquire()).rejects.toThrow('not yet');
      (await pool.acquire()).release();
    }
  });

  describe.each([false, true])('refuses what somebody else has, fork: %s', (fork) => {
    const refused = code('ERR_INVALID_RETURN_VALUE');

    it('the same instance, another object around its memory, in this pool or the next', async () => {
      const single = instantiate();
      const wrapped = (): TestInstance => ({ ...single });
      for (const create of [() => single, wrapped]) {
        const pool = createInstancePool({ create, target, prepare, size: 3, fork });
        const lease = await pool.acquire();
        lease.instance.exports.poke(1, 77);
        await expect(pool.acquire()).rejects.toThrow(refused);
        await using next = createInstancePool({ create, target, size: 1, fork });
        await expect(next.acquire()).rejects.toThrow(refused);
        expect(single.exports.peek(1)).toBe(77);
        expect(pool.stats).toMatchObject({ idle: 0, leased: 1, making: 0, waiting: 0 });
        await pool.close();
        lease.release();
        // Nobody has it any more.
        await next.use(({ exports }) => expect(exports.peek(1)).toBe(0));
      }
    });

    it('one that was given up', async () => {
      const single = instantiate();
      await using pool = createInstancePool({
        create: () => single,
        target,
        size: 1,
        fork,
        onDiscard: () => {},
      });
      (await pool.acquire()).discard();
      await expect(pool.acquire()).rejects.toThrow(refused);
    });

    it('and not one that could not be prepared', async () => {
      const single = instantiate();
      let attempts = 0;
      const failing = (): void => {
        attempts += 1;
        if (attempts === 1) throw new Error('not yet');
      };
      await using pool = createInstancePool({
        create: () => single,
        target,
        prepare: failing,
        size: 1,
        fork,
      });
      await expect(pool.acquire()).rejects.toThrow('not yet');
      (await pool.acquire()).release();
    });
  });

  it('refuses everybody once closed, and lets those who have an instance finish', async () => {
    const pool = createInstancePool({ create, target, size: 1, fork: true });
    const lease: InstanceLease<TestInstance> = await pool.acquire();
    const waiting = pool.acquire();
    await pool.close();
    await expect(waiting).rejects.toThrow(code('ERR_INSTANCE_POOL_CLOSED'));
    await expect(pool.acquire()).rejects.toThrow(code('ERR_INSTANCE_POOL_CLOSED'));
    lease.instance.exports.poke(1, 1);
    lease.release();
    await pool.close();
    expect(pool.stats).toMatchObject({ idle: 0, leased: 0 });
  });

  it('refuses options that cannot be', () => {
    const good = { create, size: 1 };
    for (const [bad, expected] of [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [{ ...good, create: 5 }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...good, size: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ ...good, size: 1.5 }, 'ERR_OUT_OF_RANGE'],
      [{ create }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...good, prepared: 1 }, 'ERR_INVALID_ARG_VALUE'],
      [{ ...good, fork: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
      [{ ...good, snapshot: { method: 'none' } }, 'ERR_INVALID_ARG_VALUE'],
    ] as const) {
      expect(() => createInstancePool(bad as never)).toThrow(code(expected));
    }
  });
});
