/** Modules of live memories: the same bytes, in any pool, whatever becomes of the memory and of its module. */
import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { platform } from '@guardstripe/mmap';
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import {
  describeMemory,
  type MemoryPoolConfig,
  type PooledMemory,
  type PoolModule,
} from '../../src/index.js';
import { faultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  closedLater,
  contents,
  HOST_PAGE,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  withGuards,
  zeroModule,
} from '../support/memories.js';

const KEEPING: MemoryPoolConfig = { linearMemoryKeepResident: 8 * PAGE };
const WAYS: Record<string, MemoryPoolConfig> = {
  'that keeps pages': KEEPING,
  'that drops pages': {},
  'that writes everything': { ...KEEPING, pagemapScan: 'disable' },
  ...withGuards({ 'whose slots are closed by guard markers': KEEPING }),
};

/** Bytes that image files take now, by their inodes. */
function imageFileBytes(): number {
  const bytes = new Map<bigint, number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).includes('guardstripe-image')) continue;
      const { ino, blocks } = fstatSync(Number(fd), { bigint: true });
      bytes.set(ino, Number(blocks) * 512);
    } catch {
      // The descriptor that read the directory.
    }
  }
  return [...bytes.values()].reduce((sum, each) => sum + each, 0);
}

const fat = (value: number) =>
  imageModule(value, { initial: 4, byteLength: 3 * PAGE + 5 * HOST_PAGE, offset: 2 * HOST_PAGE });

const actArbitrary = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant('write' as const), page: fc.nat(127), value: fc.nat(3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('fill' as const), page: fc.nat(127), value: fc.nat(1) }),
  },
  { weight: 1, arbitrary: fc.constant({ act: 'grow' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'reset' as const }) },
  { weight: 2, arbitrary: fc.constant({ act: 'snapshot' as const }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('other' as const), index: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('close' as const), index: fc.nat(20) }) },
);

describe.each(Object.keys(WAYS))('a snapshot in a pool %s', (way) => {
  it.each([511, 513, 700, 1001])('of %d pages apart: the same bytes', (numPages) => {
    const byteLength = 128 * PAGE;
    using pool = smallPool({ ...WAYS[way], maxMemorySize: byteLength, memoryReservation: byteLength });
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(128, 128) });
    for (let page = 0; page < numPages; page++) memory.fill(1 + (page % 255), (2 * page + 1) * HOST_PAGE, 1);
    using module = memory.snapshot();
    expect(contents(store.allocate({ module })).equals(contents(memory))).toBe(true);
    checkBooks(pool);
  });

  it('of anything, of snapshots too: the bytes of plain copies', () => {
    using pool = smallPool(WAYS[way]);
    fc.assert(
      fc.property(fc.array(actArbitrary, { maxLength: 40 }), (acts) => {
        using store = pool.openStore();
        const known: { module: PoolModule; bytes: Uint8Array }[] = [];
        const learn = (module: PoolModule) => {
          using fresh = store.allocate({ module });
          known.push({ module, bytes: contents(fresh) });
        };
        for (const module of [zeroModule(2), imageModule(0x41), fat(0x42)]) learn(module);
        let current = known[0]!;
        let memory = store.allocate({ module: current.module });
        let bytes = Uint8Array.from(current.bytes);
        for (const step of acts) {
          if (step.act === 'write' || step.act === 'fill') {
            const pages = step.act === 'write' ? 1 : 40;
            const start = Math.min(step.page * HOST_PAGE, memory.byteLength - 1);
            const length = Math.min(pages * HOST_PAGE, memory.byteLength - start);
            memory.fill(step.value, start, length);
            bytes.fill(step.value, start, start + length);
          } else if (step.act === 'grow') {
            if (memory.byteLength < 8 * PAGE) memory.grow(1);
            bytes = Uint8Array.from({ length: memory.byteLength }, (_, i) => bytes[i] ?? 0);
          } else if (step.act === 'reset') {
            memory.reset();
            bytes = Uint8Array.from(current.bytes);
          } else if (step.act === 'snapshot') {
            known.push({ module: memory.snapshot(), bytes: Uint8Array.from(bytes) });
            learn(known.at(-1)!.module);
            expect(Buffer.compare(known.at(-1)!.bytes, known.at(-2)!.bytes)).toBe(0);
            known.pop();
          } else if (step.act === 'other') {
            memory.free();
            current = known[step.index % known.length]!;
            memory = store.allocate({ module: current.module });
            bytes = Uint8Array.from(current.bytes);
          } else if (known.length > 1) {
            // The live memory's module, too: it lives on.
            const [closed] = known.splice(step.index % known.length, 1);
            closed!.module.close();
          }
          expect(contents(memory).equals(bytes)).toBe(true);
          checkBooks(pool);
        }
        for (const { module } of known) module.close();
      }),
      { numRuns: laps(60, 8) },
    );
    expect(pool.metrics().failedResets).toBe(0);
  });

  it('is as large as the memory was, and grows as far', () => {
    using pool = smallPool(WAYS[way]);
    using store = pool.openStore();
    const memory = store.allocate({ module: zeroModule(2, 5) });
    memory.grow(1);
    memory.fill(9, 2 * PAGE + 5, 3);
    const module = closedLater(memory.snapshot());
    expect(module.memories).toMatchObject([{ kind: 'defined', initialPages: 3n, maximumPages: 5n }]);
    memory.free();
    const again = store.allocate({ module });
    expect([again.byteLength, ...again.read(2 * PAGE + 4, 5)]).toEqual([3 * PAGE, 0, 9, 9, 9, 0]);
    again.grow(2);
    expect(() => again.grow(1)).toThrow(RangeError);
    again.reset();
    expect([again.byteLength, ...again.read(2 * PAGE + 4, 2)]).toEqual([3 * PAGE, 0, 9]);
    using other = smallPool({ maxMemorySize: 3 * PAGE });
    expect(contents(other.openStore().allocate({ module })).equals(contents(again))).toBe(true);
    other.close({ force: true });
  });

  it('of a freed memory there is none', () => {
    using pool = smallPool(WAYS[way]);
    const memory = pool.openStore().allocate({ module: zeroModule(1) });
    memory.free();
    expect(() => memory.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_MEMORY_FREED' }));
  });

  it('that the system refuses: nothing has changed, and the next one is right', () => {
    const faulty = faultyMemory();
    using pool = smallPool({ ...WAYS[way], virtualMemory: faulty.virtualMemory });
    using store = pool.openStore();
    const memory = store.allocate({ module: fat(0x43) });
    scribble(memory, 7);
    const before = contents(memory);
    faulty.fail('createImage');
    expect(() => memory.snapshot()).toThrow(expect.objectContaining({ name: 'SystemError' }));
    expect(contents(memory).equals(before)).toBe(true);
    const module = closedLater(memory.snapshot());
    // Of an image of several parts, each mapping may be refused: the slot is laid over then.
    const parts = closedLater(withParts(store.allocate({ module: fat(0x44) })));
    for (const skip of [0, 1, 2]) {
      const slots = pool.metrics().liveMemories;
      faulty.fail('mapFile', 1, skip);
      expect(() => store.allocate({ module: parts })).toThrow(
        expect.objectContaining({ name: 'SystemError' }),
      );
      faulty.heal();
      expect(pool.metrics().liveMemories).toBe(slots);
      const fresh = store.allocate({ module });
      expect(contents(fresh).equals(before)).toBe(true);
      fresh.free();
      checkBooks(pool);
    }
  });
});

/** A snapshot of three parts: one page was written in the middle of the image. */
function withParts(memory: PooledMemory): PoolModule {
  memory.fill(1, 30 * HOST_PAGE, HOST_PAGE);
  const module = memory.snapshot();
  memory.free();
  return module;
}

describe.runIf(platform().canScanDirtyPages)(
  'the memory of a snapshot (skipped without PAGEMAP_SCAN)',
  () => {
    it('holds what differs and nothing twice, however long the chain', () => {
      using pool = smallPool({ ...KEEPING, maxMemorySize: 64 * PAGE, memoryReservation: 64 * PAGE });
      using store = pool.openStore();
      const contents4MiB = new Uint8Array(60 * PAGE).map((_, i) => (i >>> 12) + 1);
      let module = closedLater(describeMemory({ initial: 64, contents: contents4MiB }));
      const expected = new Uint8Array(64 * PAGE);
      expected.set(contents4MiB);
      store.allocate({ module }).free();
      for (let link = 0; link < 6; link++) {
        const before = imageFileBytes();
        const memory = store.allocate({ module });
        // One page of the image, one of its zeros, and one that becomes zeros.
        for (const [page, value] of [
          [100 * link + 50, 201],
          [1020 - link, 202],
          [100 * link + 20, 0],
        ] as const) {
          memory.fill(value, page * HOST_PAGE, HOST_PAGE);
          expected.fill(value, page * HOST_PAGE, (page + 1) * HOST_PAGE);
        }
        const parent = module;
        module = closedLater(memory.snapshot());
        memory.free();
        expect(imageFileBytes() - before).toBeLessThanOrEqual(64 * HOST_PAGE);
        // The chain holds what it needs of modules that are closed.
        parent.close();
        const fresh = store.allocate({ module });
        expect(Buffer.compare(contents(fresh), expected)).toBe(0);
        scribble(fresh);
        fresh.reset();
        expect(Buffer.compare(contents(fresh), expected)).toBe(0);
        fresh.free();
      }
      module.close();
      checkBooks(pool);
    });
  },
);
