/* eslint-disable vitest/no-standalone-expect -- a life checks itself, and the test lives it */
/**
 * What may be done to memory that stays where it is, once for each system call that it makes and each way to refuse one: reset, growth
 * and reset, discard, snapshot and what begins as one, trim. Either it is done and every byte is right, or it throws and can be done
 * again; the memories beside it notice nothing.
 */
import { SystemError } from '@guardstripe/mmap';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import {
  ModuleClosedError,
  type MemoryPool,
  type MemoryPoolConfig,
  type PooledMemory,
  type PoolModule,
} from '../src/index.js';
import { faultyMemory, type Errno, type FaultyMemory, type Primitive } from './support/fault-injection.js';
import {
  checkBooks,
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  withGuards,
  zeroModule,
} from './support/memories.js';

const ERRNOS: readonly Errno[] = ['ENOMEM', 'EINVAL', 'EAGAIN', 'EINTR', 'ENOSPC'];
const KEEPING: MemoryPoolConfig = { linearMemoryKeepResident: 8 * PAGE };
const CONFIGS: Record<string, MemoryPoolConfig> = {
  'that keeps pages': KEEPING,
  'that keeps a few': { linearMemoryKeepResident: 3 * HOST_PAGE, decommitBatchSize: 2 },
  'that drops pages': {},
  'that writes everything': { ...KEEPING, pagemapScan: 'disable' },
  'that threads share': { ...KEEPING, shared: true },
  ...withGuards({
    'whose slots are closed by guard markers': KEEPING,
    'whose slots are closed by guard markers, and that drops pages': {},
  }),
};
const middle = { initial: 3, offset: 7 * HOST_PAGE + 3, byteLength: 2 * HOST_PAGE };
const NEIGHBOUR = 0x33;

interface Kind {
  readonly module: PoolModule;
  readonly start: Uint8Array;
}

/** One life of a pool, in which at most one call is refused. */
class Life {
  readonly #pool: MemoryPool;
  readonly #errno: Errno;

  constructor(pool: MemoryPool, errno: Errno) {
    this.#pool = pool;
    this.#errno = errno;
  }

  live(kinds: readonly Kind[]): void {
    const store = this.#pool.openStore();
    const neighbour = this.#attempt(() => store.allocate({ module: zeroModule(1) }));
    if (neighbour !== undefined) scribble(neighbour, NEIGHBOUR);
    for (const kind of kinds) {
      const memory = this.#attempt(() => store.allocate({ module: kind.module }));
      if (memory === undefined) continue;
      expectBytes(memory, kind.start);
      this.#resetTwice(memory, kind);
      this.#discard(memory, kind);
      this.#snapshot(memory);
      memory.free();
      checkBooks(this.#pool);
    }
    this.#attempt(() => this.#pool.trim(PAGE));
    this.#attempt(() => this.#pool.trim());
    checkBooks(this.#pool);
    if (neighbour !== undefined) expect(contents(neighbour).every((byte) => byte === NEIGHBOUR)).toBe(true);
    store.dispose();
  }

  #resetTwice(memory: PooledMemory, { start }: Kind): void {
    for (const delta of [0, 2]) {
      this.#attempt(() => memory.grow(delta));
      scribble(memory);
      // Where it is refused the bytes may be a mixture, and nothing keeps it from being done again.
      if (this.#attempt(() => (memory.reset(), true)) === undefined) memory.reset();
      expectBytes(memory, start);
    }
  }

  #discard(memory: PooledMemory, { start }: Kind): void {
    const [offset, byteLength] = [HOST_PAGE + 5, Math.min(20 * HOST_PAGE, start.length - HOST_PAGE - 9)];
    const expected = new Uint8Array(start.length).fill(0xee);
    expected.set(start.subarray(offset, offset + byteLength), offset);
    scribble(memory);
    if (this.#attempt(() => memory.discard(offset, byteLength)) === undefined)
      memory.discard(offset, byteLength);
    expectBytes(memory, expected);
  }

  #snapshot(memory: PooledMemory): void {
    memory.fill(0, HOST_PAGE, 3 * HOST_PAGE);
    const expected = contents(memory);
    const module = this.#attempt(() => memory.snapshot());
    expectBytes(memory, expected);
    if (module === undefined) return;
    const store = this.#pool.openStore();
    const other = this.#attempt(() => store.allocate({ module }));
    if (other !== undefined) {
      expectBytes(other, expected);
      this.#resetTwice(other, { module, start: expected });
    }
    store.dispose();
    this.#attempt(() => this.#pool.purgeModule(module));
    this.#attempt(() => (module.close(), true));
    expectBytes(memory, expected);
  }

  #attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      expect(error.code).toBe(this.#errno);
      return undefined;
    }
  }
}

function expectBytes(memory: PooledMemory, expected: Uint8Array): void {
  expect(memory.byteLength).toBe(expected.length);
  expect(contents(memory).equals(expected)).toBe(true);
}

function kindsOf({ virtualMemory }: FaultyMemory): readonly Kind[] {
  return [
    { module: imageModule(0xa1, { virtualMemory }), start: imageBytes(0xa1) },
    { module: imageModule(0xb2, { ...middle, virtualMemory }), start: imageBytes(0xb2, middle) },
    { module: zeroModule(2), start: new Uint8Array(2 * PAGE) },
  ];
}

/** The calls of a life, of which that with the number `failing` is refused; a second life finds nothing of it. */
function live(config: MemoryPoolConfig, errno: Errno, failing: number | undefined): readonly Primitive[] {
  const faulty = faultyMemory();
  const pool = smallPool({ ...config, virtualMemory: faulty.virtualMemory });
  const kinds = kindsOf(faulty);
  try {
    faulty.clearCalls();
    faulty.errno = errno;
    if (failing !== undefined) faulty.failCall(failing);
    new Life(pool, errno).live(kinds);
    const calls = [...faulty.calls];
    faulty.heal();
    new Life(pool, errno).live(kinds);
    expect(pool.metrics().liveMemories).toBe(0);
    return calls;
  } finally {
    faulty.heal();
    pool.close({ force: true });
    for (const { module } of kinds) module.close();
  }
}

/** A lap refuses every fourth call. */
const STRIDE = 4;

describe.each(sampled(Object.entries(CONFIGS)))('a pool %s', (_, config) => {
  it('is right, or throws, whichever call is refused, and how', () => {
    const refused: Primitive[] = [];
    for (let lap = 0; lap < laps(2 * STRIDE, 1); lap++) {
      let numCalls = Infinity;
      for (let at = lap % STRIDE; at < numCalls; at += STRIDE) {
        const calls = live(config, ERRNOS[(at + lap) % ERRNOS.length]!, at);
        numCalls = calls.length;
        refused.push(...calls.slice(at, at + 1));
      }
    }
    expect(refused.length).toBeGreaterThan(10);
    expect(new Set(refused).size).toBeGreaterThan(3);
  });
});

it('a discard whose image the system does not map says so, and not that the module is closed', () => {
  const faulty = faultyMemory();
  using module = imageModule(0xa1, { virtualMemory: faulty.virtualMemory });
  using pool = smallPool();
  using store = pool.openStore();
  faulty.fail('mapFile', Infinity);
  const memory = store.allocate({ module });
  scribble(memory);
  expect(() => memory.discard(5, PAGE)).toThrow(expect.objectContaining({ code: 'ENOMEM' }) as Error);
  faulty.heal();
  memory.discard(0, memory.byteLength);
  expectBytes(memory, imageBytes(0xa1));
  module.close();
  expect(() => memory.discard(5, PAGE)).toThrow(ModuleClosedError);
});
