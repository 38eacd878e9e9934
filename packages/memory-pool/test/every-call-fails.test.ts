/**
 * A life of a pool, once for each system call it makes, with that call failing: whatever else happens, no slot is lost,
 * none is in two hands, and every tenant before and after sees exactly its own bytes.
 */
import { SystemError } from '@guardstripe/mmap';
import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import type { MemoryPool, MemoryPoolConfig, PooledMemory, PoolModule, Store } from '../src/index.js';
import { faultyMemory, type FaultyMemory, type Primitive } from './support/fault-injection.js';
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

const configs: Record<string, MemoryPoolConfig> = {
  'drop pages': {},
  'drop pages in batches': { decommitBatchSize: 2 },
  'write dirty pages back': { linearMemoryKeepResident: 8 * PAGE },
  'write some dirty pages back, drop in batches': {
    linearMemoryKeepResident: 3 * HOST_PAGE,
    decommitBatchSize: 2,
  },
  'write pages back without a scan': {
    linearMemoryKeepResident: 20 * HOST_PAGE,
    pagemapScan: 'disable',
  },
  ...withGuards({
    'close slots by guard markers': { linearMemoryKeepResident: 8 * PAGE },
    'close slots by guard markers, and drop pages': {},
  }),
};

const middle = { initial: 3, offset: 7 * HOST_PAGE + 3, byteLength: 2 * HOST_PAGE };

/** Runs the step, whose only excuse is the injected failure. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    expect(error.message).toContain('ENOMEM');
    return undefined;
  }
}

interface Kind {
  readonly module: PoolModule;
  readonly initial: Uint8Array;
}

function kinds({ virtualMemory }: FaultyMemory): Record<'a' | 'b' | 'zeros', Kind> {
  return {
    a: { module: imageModule(0xa1, { virtualMemory }), initial: imageBytes(0xa1) },
    b: {
      module: imageModule(0xb2, { ...middle, virtualMemory }),
      initial: imageBytes(0xb2, middle),
    },
    zeros: { module: zeroModule(1), initial: new Uint8Array(PAGE) },
  };
}

/** A tenant that looks at its bytes, writes all of them, grows, looks and writes again. */
function tenant(pool: MemoryPool, store: Store, { module, initial }: Kind): PooledMemory | undefined {
  const memory = attempt(() => store.allocate({ module }));
  checkBooks(pool);
  if (memory === undefined) return undefined;
  expect(contents(memory).equals(initial)).toBe(true);
  scribble(memory);
  attempt(() => memory.grow(2));
  const grown = contents(memory).subarray(initial.length);
  expect(grown.equals(Buffer.alloc(grown.length))).toBe(true);
  scribble(memory);
  return memory;
}

function life(pool: MemoryPool, { a, b, zeros }: ReturnType<typeof kinds>): void {
  const store = pool.openStore();
  const free = (memory: PooledMemory | undefined) => {
    memory?.free();
    checkBooks(pool);
  };
  const first = tenant(pool, store, a);
  const second = tenant(pool, store, b);
  const third = tenant(pool, store, zeros);
  free(second);
  free(tenant(pool, store, a));
  free(first);
  free(third);
  for (const kind of [b, zeros, a, b]) free(tenant(pool, store, kind));
  attempt(() => pool.purgeModule(b.module));
  checkBooks(pool);
  for (const kind of [zeros, b, a]) tenant(pool, store, kind);
  store.dispose();
  checkBooks(pool);
}

/** The same again without failures: three tenants of each kind. */
function expectWholePool(pool: MemoryPool, all: ReturnType<typeof kinds>): void {
  for (const kind of [all.a, all.zeros, all.b]) {
    const store = pool.openStore();
    const slots = [1, 2, 3].map(() => tenant(pool, store, kind)?.slot);
    expect(new Set(slots)).toEqual(new Set([0, 1, 2]));
    store.dispose();
  }
  checkBooks(pool);
  expect(pool.metrics()).toMatchObject({ liveMemories: 0, waitingAllocations: 0 });
}

function live(config: MemoryPoolConfig, failing: number | undefined): Primitive[] {
  const faulty = faultyMemory();
  const pool = smallPool({ ...config, virtualMemory: faulty.virtualMemory });
  const all = kinds(faulty);
  try {
    faulty.clearCalls();
    if (failing !== undefined) faulty.failCall(failing);
    life(pool, all);
    const calls = [...faulty.calls];
    faulty.heal();
    expectWholePool(pool, all);
    return calls;
  } finally {
    faulty.heal();
    pool.close({ force: true });
    for (const { module } of Object.values(all)) module.close();
  }
}

describe.each(Object.entries(configs))('a pool that is to %s', (_, config) => {
  const calls = live(config, undefined);

  it.each(sampled(calls.map((call, at) => ({ call, at }))))(
    'survives the failure of call $at, $call',
    ({ call, at }) => {
      expect(live(config, at)[at]).toBe(call);
    },
  );
});

describe('these lives together', () => {
  it('make every call that a life can make', () => {
    const made = new Set(Object.values(configs).flatMap((config) => live(config, undefined)));
    const { canScanDirtyPages, canGuardPages } = faultyMemory().virtualMemory;
    expect([...made].toSorted()).toEqual([
      'createImage',
      'decommit',
      'decommitMany',
      ...(canGuardPages ? ['guardPages'] : []),
      'mapFile',
      'mapZeros',
      'protect',
      ...(canScanDirtyPages ? ['scanPages'] : []),
      ...(canGuardPages ? ['unguardPages'] : []),
    ]);
  });
});

describe('closing', () => {
  it('that the system refuses closes the pool all the same, and can be tried again', () => {
    const faulty = faultyMemory();
    const pool = smallPool({ virtualMemory: faulty.virtualMemory });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule() });
    const buffer = memory.unsafeBuffer;
    faulty.fail('unmap');
    expect(() => pool.close({ force: true })).toThrow(SystemError);
    expect(pool.closed).toBe(true);
    expect(buffer.detached).toBe(true);
    expect(memory.freed).toBe(true);
    expect(() => store.allocate({ module: zeroModule() })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CLOSED' }),
    );
    store.dispose();
    expect(pool.metrics().liveMemories).toBe(0);
    pool.close();
    expect(faulty.calls.filter((call) => call === 'unmap')).toHaveLength(2);
  });

  it('a module whose image the system does not take', () => {
    const faulty = faultyMemory();
    using pool = smallPool();
    const module = imageModule(1, { virtualMemory: faulty.virtualMemory });
    pool.openStore().allocate({ module });
    faulty.fail('closeFile');
    expect(() => module.close()).toThrow(SystemError);
    expect(module.closed).toBe(true);
    module.close();
  });

  it('a module that nobody allocated asks nothing of the system', () => {
    const faulty = faultyMemory();
    imageModule(1, { virtualMemory: faulty.virtualMemory }).close();
    expect(faulty.calls).toEqual([]);
  });
});
