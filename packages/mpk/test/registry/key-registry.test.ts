/**
 * The registry with a kernel that is a stand-in: three threads and more, each with a registry over the same words, that take, colour, lose,
 * give back, and die wherever a thread can be stopped: at every call.
 */
import { constants } from 'node:os';
import { SystemError } from '@guardstripe/mmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { KeySystem } from '../../src/key-system.js';
import { rightsOf } from '../../src/pkru.js';
import { KeyRegistry, MAX_KEYS, type Taken } from '../../src/registry/key-registry.js';

/** Threads' numbers in the process begin here; maps' are below. */
const FIRST_THREAD = 2048;

/** A thread was terminated. */
class Death extends Error {}

/** The kernel's own books, and the rules that nobody may break. */
class Kernel {
  readonly allocated = new Set<number>();
  /** Bytes by key. */
  readonly coloured = new Map<number, number>();
  readonly gone = new Set<number>();
  /** By entry, the token of the map that threads hold. */
  readonly maps = new Map<number, number>();
  readonly words = new Int32Array(256);
  /** The thread that dies at its next call, and at which of them. */
  dies: { thread: number; at: string } | undefined;
  smapsReadable = true;

  registry(thread: number): KeyRegistry {
    return new KeyRegistry(
      {
        words: this.words,
        thread: FIRST_THREAD + thread,
        isGone: (each) => this.gone.has(each - FIRST_THREAD),
        isHeldJointly: ({ entry, token }) => this.maps.get(entry) === token,
        colouredBytes: () => (this.smapsReadable ? this.coloured : undefined),
      },
      this.#system(thread),
    );
  }

  allocate(): number {
    for (let id = 1; id <= MAX_KEYS; id++) {
      if (this.allocated.has(id)) continue;
      this.allocated.add(id);
      return id;
    }
    throw new SystemError(constants.errno.ENOSPC, { syscall: 'pkey_alloc' });
  }

  #system(thread: number): KeySystem {
    return {
      obstacle: () => undefined,
      allocate: () => {
        this.#mayDie(thread, 'allocate');
        return this.allocate();
      },
      free: (id) => {
        this.#mayDie(thread, 'free');
        if (!this.allocated.delete(id))
          throw new SystemError(constants.errno.EINVAL, { syscall: 'pkey_free' });
        if ((this.coloured.get(id) ?? 0) > 0)
          throw new Error(`key ${id} was given back while pages carry it`);
      },
      close: () => this.#mayDie(thread, 'close'),
      open: () => this.#mayDie(thread, 'open'),
    };
  }

  #mayDie(thread: number, at: string): void {
    if (this.dies?.thread !== thread || this.dies.at !== at) return;
    this.dies = undefined;
    this.gone.add(thread);
    throw new Death();
  }
}

function bitsOf(ids: Iterable<number>): number {
  let bits = 0;
  for (const id of ids) bits |= rightsOf(id);
  return bits >>> 0;
}

describe('the key registry', () => {
  it('shows all threads what each has', () => {
    const kernel = new Kernel();
    const [a, b, c] = [1, 2, 3].map((thread) => kernel.registry(thread)) as [
      KeyRegistry,
      KeyRegistry,
      KeyRegistry,
    ];
    const first = a.take();
    const second = b.take();
    expect(c.heldBits).toBe(bitsOf([first.id, second.id]));
    expect(c.count()).toEqual({ held: 2, withheld: 0 });
    a.giveBack(first);
    expect(c.heldBits).toBe(bitsOf([second.id]));
    expect(c.isHeld(first)).toBe(false);
    expect(c.isHeld(second)).toBe(true);
  });

  it('gives nothing back twice, nor what another thread has taken since', () => {
    const kernel = new Kernel();
    const [a, b] = [kernel.registry(1), kernel.registry(2)];
    const first = a.take();
    a.giveBack(first);
    const again = b.take();
    expect(again.id).toBe(first.id);
    expect(again.generation).not.toBe(first.generation);
    a.giveBack(first);
    expect(kernel.allocated).toEqual(new Set([again.id]));
    expect(b.isHeld(again)).toBe(true);
  });

  it.each(['close', 'free'])('goes on where a thread died at %s while it gave a key back', (at) => {
    const kernel = new Kernel();
    const [a, b, c] = [1, 2, 3].map((thread) => kernel.registry(thread)) as [
      KeyRegistry,
      KeyRegistry,
      KeyRegistry,
    ];
    const key = a.take();
    const other = b.take();
    kernel.dies = { thread: 1, at };
    expect(() => a.giveBack(key)).toThrow(Death);
    expect(kernel.allocated.has(key.id)).toBe(true);
    c.sweep();
    expect(kernel.allocated).toEqual(new Set([other.id]));
    expect(c.heldBits).toBe(bitsOf([other.id]));
    expect(c.ownedBits).toBe(bitsOf([other.id]));
  });

  it('frees nothing that a dead thread had freed already, though somebody else has it by now', () => {
    const kernel = new Kernel();
    const [a, b] = [kernel.registry(1), kernel.registry(2)];
    const key = a.take();
    // Dead behind pkey_free and the line that notes it, before the hold says so.
    const [HOLD, GENERATION, FREED] = [16 + 8 * key.id, 17 + 8 * key.id, 18 + 8 * key.id];
    kernel.words[HOLD] = ((FIRST_THREAD + 1) << 2) | 2;
    kernel.words[FREED] = kernel.words[GENERATION]!;
    kernel.allocated.delete(key.id);
    kernel.gone.add(1);
    expect(kernel.allocate()).toBe(key.id);
    b.sweep();
    expect(kernel.allocated).toEqual(new Set([key.id]));
    expect(b.count()).toEqual({ held: 0, withheld: 0 });
  });

  it('withholds what pages carry, and what nobody can tell of, until somebody can', () => {
    const kernel = new Kernel();
    const [a, b] = [kernel.registry(1), kernel.registry(2)];
    const [key, free] = [a.take(), a.take()];
    kernel.coloured.set(key.id, 4096);
    kernel.smapsReadable = false;
    kernel.gone.add(1);
    b.sweep();
    expect(kernel.allocated).toEqual(new Set([key.id, free.id]));
    expect(b.heldBits).toBe(0);
    expect(b.ownedBits).toBe(bitsOf([key.id, free.id]));
    kernel.smapsReadable = true;
    b.sweep();
    expect(kernel.allocated).toEqual(new Set([key.id]));
    expect(b.count()).toEqual({ held: 0, withheld: 1 });
    kernel.coloured.clear();
    b.sweep();
    expect(kernel.allocated.size).toBe(0);
    expect(b.ownedBits).toBe(0);
  });

  it('knows which keys are no longer the same', () => {
    const kernel = new Kernel();
    const [a, b] = [kernel.registry(1), kernel.registry(2)];
    const [kept, given] = [a.take(), a.take()];
    const { releases, ownedBits } = a;
    a.giveBack(given);
    expect(a.sameSince(releases, ownedBits)).toBe(bitsOf([kept.id]));
    expect(b.take().id).toBe(given.id);
    expect(a.sameSince(releases, ownedBits)).toBe(bitsOf([kept.id]));
    expect(a.sameSince(a.releases, a.ownedBits)).toBe(bitsOf([kept.id, given.id]));
  });

  it('has keys that were handed over held by the map, whoever dies, and gives them back when that is gone', () => {
    const kernel = new Kernel();
    const [a, b, c] = [1, 2, 3].map((thread) => kernel.registry(thread)) as [
      KeyRegistry,
      KeyRegistry,
      KeyRegistry,
    ];
    const map = { entry: 5, token: 2 ** 47 + 2 ** 31 + 9 };
    kernel.maps.set(map.entry, map.token);
    const [key, own] = [a.take(), a.take()];
    a.handOver(key, map);
    expect(b.isOf(key, map)).toBe(true);
    expect([b.isOf(own, map), b.isOf(key, { ...map, token: map.token + 1 })]).toEqual([false, false]);
    expect(b.isOf(key, { ...map, entry: 6 })).toBe(false);
    expect(b.isOf({ ...key, generation: key.generation + 1 }, map)).toBe(false);
    // No more the thread's: it cannot lose it, nor give it back.
    a.withhold(key);
    a.giveBack(key);
    kernel.gone.add(1);
    b.sweep();
    expect(kernel.allocated).toEqual(new Set([key.id]));
    expect(c.isHeld(key)).toBe(true);
    expect(c.count()).toEqual({ held: 1, withheld: 0 });
    // Another map is in the entry.
    kernel.maps.set(map.entry, map.token + 2047);
    kernel.coloured.set(key.id, 4096);
    b.sweep();
    expect([c.isHeld(key), c.isOf(key, map)]).toEqual([false, false]);
    expect(c.count()).toEqual({ held: 0, withheld: 1 });
    kernel.coloured.clear();
    c.sweep();
    expect(kernel.allocated.size).toBe(0);
  });

  const THREADS = 4;
  const step = fc.record({
    kind: fc.constantFrom(
      'take',
      'give',
      'lose',
      'colour',
      'clean',
      'die',
      'sweep',
      'foreign',
      'foreign-free',
      'map',
      'hand-over',
      'unmap',
    ),
    thread: fc.nat(THREADS - 1),
    which: fc.nat(30),
    death: fc.constantFrom(undefined, undefined, 'allocate', 'free', 'close'),
  });
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

  class World {
    readonly kernel = new Kernel();
    readonly foreign = new Set<number>();
    /** By place: the thread that is there now, and what its leases hold. */
    readonly places = Array.from({ length: THREADS }, (_, place) => this.#start(place));
    /** What threads hold jointly, and the keys that it has. */
    maps: { readonly entry: number; readonly token: number; readonly keys: Taken[] }[] = [];
    #nextThread = 100;
    #nextToken = 1;

    #start(place: number): { thread: number; registry: KeyRegistry; held: Taken[] } {
      const thread = place + 1;
      return { thread, registry: this.kernel.registry(thread), held: [] };
    }

    run({ kind, thread: place, which, death }: Step): void {
      const { kernel, foreign } = this;
      const here = this.places[place]!;
      const { registry, held } = here;
      const carried = [...kernel.coloured.keys()];
      kernel.dies = death === undefined ? undefined : { thread: here.thread, at: death };
      const key = held[which % Math.max(held.length, 1)];
      try {
        if (kind === 'take') held.push(registry.take());
        else if (kind === 'sweep') registry.sweep();
        else if (kind === 'colour' && key !== undefined) kernel.coloured.set(key.id, 4096);
        else if (kind === 'clean') kernel.coloured.delete(carried[which % Math.max(carried.length, 1)] ?? 0);
        else if (kind === 'map') this.#map(which);
        else if (kind === 'hand-over' && key !== undefined) this.#handOver(place, key, which);
        else if (kind === 'unmap') this.#unmap(which);
        else if (kind === 'foreign') foreign.add(kernel.allocate());
        else if (kind === 'foreign-free') {
          const [first] = foreign;
          if (first !== undefined && foreign.delete(first)) kernel.allocated.delete(first);
        } else if (kind === 'die') throw new Death();
        else if (key !== undefined && (kind === 'lose' || (kernel.coloured.get(key.id) ?? 0) === 0)) {
          held.splice(held.indexOf(key), 1);
          if (kind === 'lose') registry.withhold(key);
          else registry.giveBack(key);
        }
      } catch (error) {
        if (error instanceof Death) this.#replace(place);
        else if (!(error instanceof SystemError) || error.code !== 'ENOSPC') throw error;
      }
      kernel.dies = undefined;
    }

    #map(which: number): void {
      const entry = which % 3;
      if (this.maps.some((map) => map.entry === entry)) return;
      // So far apart that a hold looks the same.
      const token = (this.#nextToken += 2047 * 2 ** 20);
      this.maps.push({ entry, token, keys: [] });
      this.kernel.maps.set(entry, token);
    }

    #handOver(place: number, key: Taken, which: number): void {
      const map = this.maps[which % Math.max(this.maps.length, 1)];
      if (map === undefined) return;
      const { registry, held } = this.places[place]!;
      registry.handOver(key, map);
      held.splice(held.indexOf(key), 1);
      map.keys.push(key);
    }

    #unmap(which: number): void {
      const [map] = this.maps.splice(which % Math.max(this.maps.length, 1), 1);
      if (map !== undefined) this.kernel.maps.delete(map.entry);
    }

    /** Another thread comes where one has died. */
    #replace(place: number): void {
      this.kernel.gone.add(this.places[place]!.thread);
      const thread = this.#nextThread++;
      this.places[place] = { thread, registry: this.kernel.registry(thread), held: [] };
    }
  }

  function check(world: World): void {
    const { kernel, foreign, places, maps } = world;
    const held = [...places.flatMap((place) => place.held), ...maps.flatMap((map) => map.keys)];
    for (const map of maps) for (const key of map.keys) expect(places[1]!.registry.isOf(key, map)).toBe(true);
    const { registry } = places[0]!;
    // What a live lease holds is the kernel's word and everybody's.
    for (const key of held) {
      expect(kernel.allocated.has(key.id)).toBe(true);
      for (const place of places) expect(place.registry.isHeld(key)).toBe(true);
    }
    expect(new Set(held.map(({ id }) => id)).size).toBe(held.length);
    expect(registry.heldBits & bitsOf(foreign)).toBe(0);
    expect(registry.ownedBits & bitsOf(foreign)).toBe(0);
    expect((bitsOf(held.map(({ id }) => id)) & ~registry.heldBits) >>> 0).toBe(0);
  }

  /** When all is cleaned up and swept, nothing is left but what live leases hold. */
  function checkEnd(world: World): void {
    const { kernel, foreign, places, maps } = world;
    const held = [...places, { held: maps.flatMap((map) => map.keys) }].flatMap((place) =>
      place.held.map(({ id }) => id),
    );
    const { registry } = places[0]!;
    registry.sweep();
    expect(registry.heldBits).toBe(bitsOf(held));
    for (const id of kernel.coloured.keys()) {
      // What pages carry is not free, unless a stranger coloured them with a key of its own.
      expect(kernel.allocated.has(id)).toBe(true);
    }
    kernel.coloured.clear();
    registry.sweep();
    expect(registry.ownedBits).toBe(bitsOf(held));
    expect(kernel.allocated).toEqual(new Set([...held, ...foreign]));
  }

  it('never loses a key, never gives one back that is carried or not ours, whoever dies wherever', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        for (const each of steps) {
          world.run(each);
          check(world);
        }
        checkEnd(world);
      }),
      { numRuns: 800 },
    );
  });
});
