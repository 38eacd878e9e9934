/** The memory file of a module's images: one at most, made when it is first wanted, holding nothing of the caller's. */
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { memoryImage } from '@guardstripe/mmap';
import { encodeModule, type MemoryShape, type SegmentShape } from '@guardstripe/wasm-builder';
import { laps } from '@guardstripe/test-support';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeMemory, describeModule, InvalidModuleError, type PoolModule } from '../../src/index.js';
import { ImageFile } from '../../src/module/image.js';
import { faultyMemory } from '../support/fault-injection.js';
import { checkBooks, contents, HOST_PAGE, PAGE, scribble, smallPool } from '../support/memories.js';

const hasMemfd = vi.hoisted(() => ({ value: true }));
vi.mock('@guardstripe/mmap', async (importOriginal) => {
  const mmap = await importOriginal<typeof import('@guardstripe/mmap')>();
  const host = () => {
    const real = mmap.host();
    return { ...real, features: { ...real.features, memfd: hasMemfd.value } };
  };
  return { ...mmap, host };
});

afterEach(() => (hasMemfd.value = true));

/** Open memory files of images, by what their descriptors point at. */
function imageFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:guardstripe-image');
    } catch {
      return false; // the descriptor that lists them
    }
  }).length;
}

const NUM_MEMORIES = laps(3000, 600);

/** Memory `i` has one page at page `i` modulo 8, filled with a value of its own; two in three have none. */
function manyMemories(): PoolModule {
  const memories: MemoryShape[] = Array.from({ length: NUM_MEMORIES }, () => ({ minimum: 1, maximum: 2 }));
  const segments: SegmentShape[] = memories.flatMap((_, memoryIndex) =>
    memoryIndex % 3 === 0
      ? [
          {
            memoryIndex,
            offset: (memoryIndex % 8) * HOST_PAGE,
            data: new Uint8Array(HOST_PAGE).fill(memoryIndex),
          },
        ]
      : [],
  );
  return describeModule(encodeModule({ memories, segments }));
}

function expectedBytes(memoryIndex: number): Buffer {
  const bytes = Buffer.alloc(PAGE);
  const start = (memoryIndex % 8) * HOST_PAGE;
  return memoryIndex % 3 === 0 ? bytes.fill(memoryIndex % 256, start, start + HOST_PAGE) : bytes;
}

describe.each([0, 4 * PAGE])(
  `the images of ${NUM_MEMORIES} memories, %d bytes kept`,
  (linearMemoryKeepResident) => {
    it('share one file and one descriptor, made at the first allocation', () => {
      using pool = smallPool({ maxMemoriesPerModule: NUM_MEMORIES, linearMemoryKeepResident });
      using store = pool.openStore();
      const before = imageFiles();
      using module = manyMemories();
      expect(imageFiles()).toBe(before);
      for (let memoryIndex = 0; memoryIndex < NUM_MEMORIES; memoryIndex += 7) {
        for (let tenant = 0; tenant < 2; tenant++) {
          const memory = store.allocate({ module, memoryIndex });
          expect(contents(memory).equals(expectedBytes(memoryIndex))).toBe(true);
          scribble(memory);
          memory.free();
        }
      }
      expect(imageFiles()).toBe(before + 1);
      checkBooks(pool);
      const kept = [0, 3, 6].map((memoryIndex) => store.allocate({ module, memoryIndex }));
      module.close();
      expect(imageFiles()).toBe(before);
      for (const [i, memory] of kept.entries()) {
        expect(contents(memory).equals(expectedBytes(3 * i))).toBe(true);
      }
    });
  },
);

describe('the memory file', () => {
  const withData = (data: number): PoolModule =>
    describeModule(
      encodeModule({ memories: [{ minimum: 1 }], segments: [{ memoryIndex: 0, offset: 5, data: [data] }] }),
    );

  it('is not made for a memory without an image', () => {
    using pool = smallPool({ maxMemoriesPerModule: 2 });
    using store = pool.openStore();
    const bytes = encodeModule({
      memories: [{ minimum: 1 }, { minimum: 1 }],
      segments: [{ memoryIndex: 1, data: [7] }],
    });
    using module = describeModule(bytes);
    const before = imageFiles();
    store.allocate({ module, memoryIndex: 0 });
    expect(imageFiles()).toBe(before);
    store.allocate({ module, memoryIndex: 1 });
    expect(imageFiles()).toBe(before + 1);
  });

  it('that the system refuses takes no slot, and is made at the next try', () => {
    const faulty = faultyMemory();
    using pool = smallPool();
    using store = pool.openStore();
    const { virtualMemory } = faulty;
    using module = describeMemory({ initial: 1, contents: Uint8Array.of(1, 2, 3) }, { virtualMemory });
    faulty.fail('createImage', 2);
    for (let i = 0; i < 2; i++) {
      expect(() => store.allocate({ module })).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
      expect(pool.isEmpty).toBe(true);
    }
    const memories = [1, 2, 3].map(() => store.allocate({ module }));
    for (const memory of memories) expect([...contents(memory).subarray(0, 4)]).toEqual([1, 2, 3, 0]);
    checkBooks(pool);
    expect(faulty.calls.filter((call) => call === 'createImage')).toHaveLength(3);
  });

  it('is asked for no more once the module is closed', () => {
    using pool = smallPool();
    const module = withData(1);
    module.close();
    expect(() => pool.openStore().allocate({ module })).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_CLOSED' }),
    );
  });

  it('is gone for an allocation that waited while the module was closed', async () => {
    using pool = smallPool({ totalMemories: 3 });
    using store = pool.openStore();
    const module = withData(1);
    using other = withData(2);
    const [first] = [1, 2, 3].map(() => store.allocate({ module: other }));
    store.allocateAsync({ module }).catch(() => undefined);
    const waiting = store.allocateAsync({ module });
    module.close();
    first?.free();
    await expect(waiting).rejects.toThrow(expect.objectContaining({ code: 'ERR_MODULE_CLOSED' }));
    checkBooks(pool);
  });

  it('where the kernel has none, the image is written at each allocation', () => {
    hasMemfd.value = false;
    using pool = smallPool();
    using store = pool.openStore();
    const before = imageFiles();
    using module = withData(9);
    for (let tenant = 0; tenant < 3; tenant++) {
      const memory = store.allocate({ module });
      expect(contents(memory).equals(Buffer.alloc(PAGE).fill(9, 5, 6))).toBe(true);
      scribble(memory);
      memory.free();
    }
    expect(imageFiles()).toBe(before);
  });

  it('does not stand in the way of other images', () => {
    using image = memoryImage(Uint8Array.of(1));
    expect(image.byteLength).toBe(HOST_PAGE);
  });
});

describe("the caller's bytes", () => {
  const bytesOf = (data: readonly number[], apart = false): Uint8Array<ArrayBuffer> =>
    encodeModule({
      memories: [{ minimum: 64 }],
      segments: [
        { memoryIndex: 0, offset: 3, data },
        // Far apart: written at each allocation rather than mapped.
        ...(apart ? [{ memoryIndex: 0, offset: 63 * PAGE, data: [1] }] : []),
      ],
    });
  const big = { maxMemorySize: 64 * PAGE, memoryReservation: 64 * PAGE };

  it.each([
    ['mapped', false],
    ['written', true],
  ])('may be used again for another module: an image that is %s', (_, apart) => {
    using pool = smallPool(big);
    using store = pool.openStore();
    const upload = new Uint8Array(1 << 12);
    const receive = (bytes: Uint8Array): Uint8Array => {
      upload.set(bytes);
      return upload.subarray(0, bytes.length);
    };
    using first = describeModule(receive(bytesOf([1, 2, 3], apart)));
    using second = describeModule(receive(bytesOf([4, 5, 6], apart)));
    upload.fill(0xff);
    for (const module of [first, second, first]) {
      const memory = store.allocate({ module });
      expect([...contents(memory).subarray(3, 6)]).toEqual(module === first ? [1, 2, 3] : [4, 5, 6]);
      memory.free();
    }
  });

  it('may be shared, resizable, a view, or transferred afterwards', () => {
    using pool = smallPool(big);
    using store = pool.openStore();
    const bytes = bytesOf([7, 8, 9]);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length, { maxByteLength: 4096 }));
    shared.set(bytes);
    const resizable = new Uint8Array(new ArrayBuffer(bytes.length, { maxByteLength: 4096 }));
    resizable.set(bytes);
    const modules = [shared, resizable, bytes].map((source) => describeModule(source));
    shared.fill(0);
    resizable.buffer.resize(0);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    for (const module of modules) {
      const memory = store.allocate({ module });
      expect([...contents(memory).subarray(3, 6)]).toEqual([7, 8, 9]);
      memory.free();
      module.close();
    }
  });

  it('may be written to by another thread all the while: what is validated is what is read', async () => {
    using pool = smallPool(big);
    using store = pool.openStore();
    const bytes = bytesOf([7, 7, 7]);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    // The segment's data, its length and its offset; the end of its expression; the memory's size and its flags.
    const dataAt = bytes.length - 3;
    const writes: readonly (readonly [at: number, values: readonly number[]])[] = [
      [dataAt, [7, 8]],
      [dataAt - 1, [3, 200]],
      [dataAt - 2, [0x0b, 0x10]],
      [dataAt - 3, [3, 0x7f]],
    ];
    const writer = new Worker(
      `const { shared, writes } = require('node:worker_threads').workerData;
       require('node:worker_threads').parentPort.postMessage('started');
       for (let i = 0; ; i++) for (const [at, values] of writes) shared[at] = values[(i >> (at % 3)) % 2];`,
      { eval: true, workerData: { shared, writes } },
    );
    await once(writer, 'message');
    const seen = { described: 0, invalid: 0, other: 0 };
    // As long as it takes: on a busy machine the other thread may get no time for many rounds.
    for (let round = 0; round < 2000 || seen.described === 0 || seen.invalid === 0; round++) {
      try {
        using module = describeModule(shared);
        if (module.memories[0]?.obstacle !== undefined) continue;
        const memory = store.allocate({ module });
        const start = Buffer.from(memory.read(3, 3));
        if ((start[0] !== 7 && start[0] !== 8) || start[1] !== 7 || start[2] !== 7) seen.other++;
        memory.free();
        seen.described++;
      } catch (error) {
        if (!(error instanceof InvalidModuleError)) throw error;
        seen.invalid++;
      }
    }
    await writer.terminate();
    expect(seen.other).toBe(0);
    expect(seen.described).toBeGreaterThan(0);
    expect(seen.invalid).toBeGreaterThan(0);
    checkBooks(pool);
  });

  it('may lie about their length', () => {
    const bytes = bytesOf([7]);
    Object.defineProperty(bytes, 'byteLength', { value: 12 });
    Object.defineProperty(bytes, 'length', { value: 12 });
    using module = describeModule(bytes);
    expect(module.memories[0]).toMatchObject({ initialization: 'image' });
  });

  it('of a memory that is described directly may be used again as well', () => {
    using pool = smallPool();
    using store = pool.openStore();
    const bytes = new Uint8Array(HOST_PAGE).fill(1);
    using module = describeMemory({ initial: 1, contents: bytes });
    bytes.fill(2);
    expect(contents(store.allocate({ module })).readUInt8(0)).toBe(1);
  });
});

describe('a file of images', () => {
  const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

  it('is closed once, and no image comes to lie in it afterwards', () => {
    const file = new ImageFile(new Uint8Array(HOST_PAGE), undefined);
    const child = new ImageFile(undefined, undefined, [file]);
    file.close();
    // The child's images lie there still.
    const grandchild = new ImageFile(undefined, undefined, [file]);
    child.close();
    grandchild.close();
    expect(() => new ImageFile(undefined, undefined, [file])).toThrow(corrupted);
    expect(() => file.close()).toThrow(corrupted);
  });
});
