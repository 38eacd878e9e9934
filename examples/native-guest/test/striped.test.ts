/**
 * Guards shrunk to nothing, protection keys in their place:
 *
 *     | memory 0 | memory 1 | memory 2 | memory 3 | ...   all of them accessible, every slot full
 *       key a      key b      key c      key a
 *
 * Needs protection keys: `npx -y pnpm@12 test:mpk`.
 */
import { createHash } from 'node:crypto';
import { MemoryPool, type Store } from '@guardstripe/memory-pool';
import { currentMask, isSupported, ProtectionMask, supportReason } from '@guardstripe/mpk';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { GuestInstance } from '../src/guest-instance.ts';
import type { GuestModule } from '../src/guest-module.ts';
import { faultsInstance, faultsModule, trapOf } from './support/faults.ts';
import { describeGuests, guests, loadPlugin, type Plugin } from './support/prepared.ts';

const PAGE = 65_536;
const SEGV_PKUERR = 4;
const required = process.env['GUARDSTRIPE_REQUIRE_MPK'] === '1';
if (required && !isSupported()) throw new Error(`Protection keys are required here: ${supportReason()}`);

const NUM_TENANTS = 20;

/** Slots of 512 MiB for code that reaches 4 GiB and 16 MiB: nine stripes, each a neighbour's guard. */
function stripedPool(): MemoryPool {
  return MemoryPool.create({
    totalMemories: 40,
    maxMemorySize: 2 ** 29,
    memoryReservation: 2 ** 32,
    memoryGuardSize: 2 ** 25,
    memoryProtectionKeys: 'enable',
  });
}

describeGuests(
  'in a striped pool, a guest',
  () => {
    let module: GuestModule;
    let plugin: Plugin;
    let pool: MemoryPool;
    let stores: Store[];
    let tenants: GuestInstance[];

    beforeAll(() => {
      module = faultsModule();
      plugin = loadPlugin(guests().plugin.library);
    });
    afterAll(() => module?.close());
    beforeEach(() => {
      pool = stripedPool();
      stores = Array.from({ length: NUM_TENANTS }, () => pool.openStore());
      tenants = stores.map((store) => faultsInstance(module, pool, { store }));
      for (const [index, { pooledMemory }] of tenants.entries()) {
        new Uint8Array(pooledMemory.unsafeBuffer).fill(index + 1);
      }
    });
    afterEach(() => pool?.close({ force: true }));

    const bytesOf = ({ pooledMemory }: GuestInstance): string =>
      createHash('sha256').update(new Uint8Array(pooledMemory.unsafeBuffer)).digest('hex');

    /** The address, in wasm's 32 bits, at which a guest finds the start of another's memory; `undefined` if out of reach. */
    const reach = (from: GuestInstance, to: GuestInstance): number | undefined => {
      const distance = to.pooledMemory.address - from.pooledMemory.address;
      return distance > 0 && distance < 2 ** 32 ? distance : undefined;
    };

    it('has slots without a guard between them', () => {
      const { layout } = pool;
      expect(layout.numStripes).toBeGreaterThanOrEqual(8);
      expect(layout.slotBytes - layout.maxMemoryBytes).toBeLessThan(2 ** 24);
      expect(layout.bytesToNextStripeSlot).toBeGreaterThanOrEqual(guests().faults.reachBytes);
    });

    it('is stopped by the key of each neighbour that it can reach', () => {
      let tried = 0;
      for (const from of tenants) {
        for (const to of tenants) {
          const address = reach(from, to);
          if (address === undefined) continue;
          tried++;
          const before = tenants.map(bytesOf);
          const { pooledMemory: own } = from;
          for (const [call, access] of [
            [() => from.exports['load8']?.(address), 'read'],
            [() => from.exports['store8']?.(address + 100, 1), 'write'],
          ] as const) {
            const error = trapOf(call);
            expect(error).toMatchObject({
              slot: own.slot,
              stripe: own.stripe,
              reason: 'memory access out of bounds',
            });
            expect(error.fault).toMatchObject({ access, siCode: SEGV_PKUERR });
            expect(error.fault?.protectionKey).toBeGreaterThan(0);
            expect(error.fault?.location).toMatchObject({
              kind: 'neighbour',
              slot: own.slot,
              neighbourSlot: to.pooledMemory.slot,
              neighbourStripe: to.pooledMemory.stripe,
              bytesPastEnd: address + (access === 'write' ? 100 : 0) - PAGE,
            });
            expect(error.message).toContain('refused by protection key');
          }
          expect(tenants.map(bytesOf)).toEqual(before);
        }
      }
      expect(tried).toBeGreaterThan(50);
    });

    it('is stopped just past its memory, at 4 GiB - 1, far out and backwards', () => {
      for (const guest of tenants) {
        expect(trapOf(() => guest.exports['load8']?.(PAGE)).fault).toMatchObject({
          bytesPastEnd: 0,
          siCode: 2,
        });
        trapOf(() => guest.exports['load8']?.(-1));
        trapOf(() => guest.exports['load8_far']?.(-1));
        trapOf(() => guest.exports['store64']?.(-4096, 1n));
      }
    });

    it('cannot count backwards either, in plain C', () => {
      let tried = 0;
      for (const [index, from] of tenants.entries()) {
        for (const to of tenants.slice(Math.max(0, index - pool.layout.numStripes + 1), index)) {
          tried++;
          const before = bytesOf(to);
          const distance = to.pooledMemory.address - from.pooledMemory.address;
          const store = stores[index];
          expect(store?.stripe).toBe(from.pooledMemory.stripe);
          expect(store?.enter(() => plugin.read(from.pooledMemory.address, distance))).toBe(-1);
          expect(store?.enter(() => plugin.write(from.pooledMemory.address, distance, 99))).toBe(-1);
          // Only the key stops it.
          expect(plugin.read(from.pooledMemory.address, distance)).toBeGreaterThan(0);
          expect(bytesOf(to)).toBe(before);
        }
      }
      expect(tried).toBeGreaterThan(50);
    });

    it('leaves the keys as they were, after a return, a trap and an error of the host', () => {
      const open = (): boolean[] => {
        // The host's own access to every tenant is the proof: with a closed key it would kill the process.
        return tenants.map(({ pooledMemory }) => new Uint8Array(pooledMemory.unsafeBuffer)[5] !== undefined);
      };
      const before = currentMask();
      const [guest] = tenants as [GuestInstance];
      guest.exports['count']?.();
      for (let n = 0; n < 50; n++) trapOf(() => guest.exports['load8']?.(-1));
      trapOf(() => guest.exports['unreachable']?.());
      trapOf(() => guest.exports['recurse']?.(0n));
      expect(currentMask().openBits).toBe(before.openBits);
      expect(before.openBits & ProtectionMask.all.openBits).not.toBe(0);
      expect(open()).toEqual(tenants.map(() => true));
    });

    it('grows, and its new pages have its key', () => {
      const [from, to] = tenants as [GuestInstance, GuestInstance];
      expect(to.exports['grow']?.(1)).toBe(1);
      expect(to.exports['grow']?.(9)).toBe(-1);
      to.exports['store8']?.(PAGE + 3, 77);
      expect(new Uint8Array(to.exports.memory.buffer)[PAGE + 3]).toBe(77);
      const address = reach(from, to);
      const fault = trapOf(() => from.exports['load8']?.((address ?? 0) + PAGE + 3)).fault;
      expect(fault).toMatchObject({ siCode: SEGV_PKUERR });
    });

    it('asks a host function that sees every tenant', () => {
      const store = pool.openStore();
      const asking = faultsInstance(module, pool, {
        store,
        ask: () =>
          tenants.reduce(
            (sum, { pooledMemory }) => sum + (new Uint8Array(pooledMemory.unsafeBuffer)[9] ?? 0),
            0,
          ),
      });
      new Uint8Array(asking.pooledMemory.unsafeBuffer)[210] = 42;
      expect(asking.exports['ask_then_load']?.(0)).toBe(42);
      // And it is back in its own stripe afterwards.
      const victim = tenants.find((tenant) => reach(asking, tenant) !== undefined);
      if (victim !== undefined) trapOf(() => asking.exports['load8']?.(reach(asking, victim) ?? 0));
    });

    it('starts from its image, in a slot that was another tenant’s', () => {
      for (const [index, old] of tenants.entries()) {
        const { slot } = old.pooledMemory;
        trapOf(() => old.exports['fill_up']?.(0, 0xee));
        old.free();
        const { pooledMemory } = faultsInstance(module, pool, { store: stores[index] ?? pool.openStore() });
        expect(pooledMemory.slot).toBe(slot);
        const bytes = Buffer.from(pooledMemory.unsafeBuffer);
        expect(bytes.toString('latin1', 16, 27)).toBe('guardstripe');
        expect(bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0)).toBe(15);
      }
    });
  },
  supportReason(),
);
