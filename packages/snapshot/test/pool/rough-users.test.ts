/** Pools whose users and options are rough: what they count stays right, and everybody is answered. */
import { describe, expect, it } from 'vitest';

import { createInstancePool } from '../../src/index.js';
import { inTime } from '../support/cut-off.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';

const code = (value: string) => expect.objectContaining({ code: value });
const target = ({ instance }: TestInstance): WebAssembly.Instance => instance;

describe.each([false, true])('with fork: %s', (fork) => {
  it('whoever waits is answered, whether `create` or `prepare` throws or rejects', async () => {
    let attempts = 0;
    const failures = [new Error('thrown'), new Error('rejected')];
    await using pool = createInstancePool({
      create: (): TestInstance | Promise<TestInstance> => {
        attempts += 1;
        if (attempts === 1) throw failures[0]!;
        return attempts === 2 ? Promise.reject(failures[1]!) : instantiate();
      },
      prepare: async ({ exports }) => {
        await Promise.resolve();
        if (attempts === 3) throw new Error('not prepared');
        exports.fill(0, 1, 100);
      },
      target,
      size: 1,
      fork,
    });
    const results = await Promise.allSettled(Array.from({ length: 3 }, async () => pool.acquire()));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const lease = await pool.acquire();
    expect(bytesOf(lease.instance.exports.memory).subarray(0, 101).indexOf(0)).toBe(100);
    lease.release();
    expect(pool.stats).toEqual({ idle: 1, leased: 0, making: 0, waiting: 0, discarded: 0 });
  });

  it('a second release does not count, nor one after a discard', async () => {
    await using pool = createInstancePool({
      create: () => instantiate(),
      target,
      size: 3,
      fork,
      onDiscard: () => {},
    });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    leases[0]!.release();
    leases[0]!.release();
    leases[0]!.discard();
    leases[1]!.discard();
    leases[1]!.release();
    expect(pool.stats).toEqual({ idle: 1, leased: 1, making: 0, waiting: 0, discarded: 1 });
    leases[2]!.release();
    expect(pool.stats).toEqual({ idle: 2, leased: 0, making: 0, waiting: 0, discarded: 1 });
  });

  it('a signal that comes at once with a release leaves nobody’s instance behind', async () => {
    await using pool = createInstancePool({ create: () => instantiate(), target, size: 1, fork });
    for (const abortsFirst of [false, true]) {
      const held = await pool.acquire();
      const controller = new AbortController();
      const waiting = pool.acquire({ signal: controller.signal });
      const steps = [() => held.release(), () => controller.abort(new Error('enough'))];
      for (const step of abortsFirst ? steps.toReversed() : steps) step();
      // Served on a turn of its own, it has left by then.
      await expect(waiting).rejects.toThrow('enough');
      expect(pool.stats).toEqual({ idle: 1, leased: 0, making: 0, waiting: 0, discarded: 0 });
    }
  });

  it('the end of the time of a script that asks does not cut off `create`', async () => {
    await using pool = createInstancePool({
      create: () => {
        // Longer than the script has; what ends scripts ends this one behind it.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
        return instantiate();
      },
      target,
      size: 1,
      fork,
    });
    const asked: Promise<Disposable>[] = [];
    inTime(() => asked.push(pool.acquire()), 200);
    (await asked[0]!)[Symbol.dispose]();
    (await pool.acquire()).release();
    expect(pool.stats).toEqual({ idle: 1, leased: 0, making: 0, waiting: 0, discarded: 0 });
  });

  it('a close refuses all who wait, and what is being made then is handed out to nobody', async () => {
    const pool = createInstancePool({ create: () => instantiate(), target, size: 2, fork });
    const held = await pool.acquire();
    const waiting = [pool.acquire(), pool.acquire(), pool.acquire()];
    const closed = pool.close();
    for (const each of waiting) await expect(each).rejects.toThrow(code('ERR_INSTANCE_POOL_CLOSED'));
    await closed;
    held.release();
    await pool.close();
    expect(pool.stats).toEqual({ idle: 0, leased: 0, making: 0, waiting: 0, discarded: 0 });
  });
});
