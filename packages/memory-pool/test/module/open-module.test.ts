/** Modules that come as a handle: the same memories, and nothing that reaches out of a slot, whatever a handle says. */
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeOf } from '@guardstripe/test-support';
import { encodeModule } from '@guardstripe/wasm-builder';
import {
  describeMemory,
  describeModule,
  openModule,
  type ModuleHandle,
  type PoolModule,
} from '../../src/index.js';
import { smallPool } from '../support/memories.js';

const KINDS: Readonly<Record<string, () => PoolModule>> = {
  zeros: () => describeMemory({ initial: 2, maximum: 4 }),
  'an image': () => describeMemory({ initial: 2, contents: Uint8Array.of(1, 2, 3), contentsOffset: 70_000 }),
  'a module': () =>
    describeModule(
      encodeModule({
        memories: [{ minimum: 1 }, { minimum: 2 }],
        segments: [{ memoryIndex: 1, offset: 9, data: [1, 2, 3] }],
      }),
    ),
  'segments that are written': () =>
    describeModule(
      encodeModule({
        memories: [{ minimum: 5000, pageSizeLog2: 0 }],
        segments: [{ memoryIndex: 0, offset: 4990, data: [4, 5, 6] }],
      }),
    ),
  'no memory': () => describeModule(encodeModule({ memories: [] })),
};

/** The first bytes of each memory. */
function bytesOf(module: PoolModule): string[] {
  using pool = smallPool({ maxMemoriesPerModule: 2 });
  return module.memories.map(({ index }) => {
    using store = pool.openStore();
    const memory = store.allocate({ module, memoryIndex: index });
    return Buffer.from(memory.buffer).toString('latin1');
  });
}

/** Memory files of images that the process has open. */
function imageFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('memfd:guardstripe-image');
    } catch {
      // The folder's own, closed by now.
      return false;
    }
  }).length;
}

describe('a module of a handle', () => {
  it.each(Object.entries(KINDS))('has the memories of the first: %s', (_, describeOne) => {
    using module = describeOne();
    using opened = openModule(structuredClone(module.handle));
    expect(opened.memories).toEqual(module.memories);
    expect(bytesOf(opened)).toEqual(bytesOf(module));
    using third = openModule(structuredClone(opened.handle));
    expect(bytesOf(third)).toEqual(bytesOf(module));
  });

  it('lies in the memory file of the first: in no second one', () => {
    const before = imageFiles();
    using module = KINDS['an image']!();
    using opened = openModule(structuredClone(module.handle));
    using third = openModule(structuredClone(opened.handle));
    expect(bytesOf(third)).toEqual(bytesOf(module));
    expect(imageFiles()).toBe(before + 1);
  });

  it('stays when the first is closed, and is gone when all are', () => {
    const module = KINDS['an image']!();
    const { handle } = module;
    const opened = openModule(handle);
    const bytes = bytesOf(module);
    module.close();
    expect(bytesOf(opened)).toEqual(bytes);
    expect(codeOf(() => module.handle)).toBe('ERR_MODULE_CLOSED');
    opened.close();
    expect(codeOf(() => openModule(handle))).toBe('ERR_MMAP_SHARED_GONE');
  });

  it('is not to be had of a snapshot', () => {
    using module = KINDS['an image']!();
    using pool = smallPool();
    using store = pool.openStore();
    using snapshot = store.allocate({ module }).snapshot();
    expect(codeOf(() => snapshot.handle)).toBe('ERR_MODULE_NOT_SHARED');
  });
});

/** All that is in a handle, with one value replaced. */
function* changed(value: unknown, bad: unknown): Generator {
  yield bad;
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    for (const each of changed(inner, bad)) {
      yield Array.isArray(value)
        ? value.map((old, index) => (String(index) === key ? each : old))
        : { ...value, [key]: each };
    }
  }
}

describe('a handle that was changed', () => {
  const BAD = [
    undefined,
    null,
    -1,
    0.5,
    2 ** 53,
    1e6,
    2n ** 65n,
    'text',
    [],
    {},
    new Uint8Array(3),
    4096,
    65_536,
  ];

  it.each(Object.entries(KINDS))(
    'is refused, or makes memories that end where they say: %s',
    (_, describeOne) => {
      using module = describeOne();
      let numRefused = 0;
      for (const bad of BAD) {
        for (const handle of changed(module.handle, bad)) {
          let opened: PoolModule;
          try {
            opened = openModule(handle as ModuleHandle);
          } catch (error) {
            numRefused++;
            expect((error as { code: unknown }).code).toMatch(
              /^ERR_(INVALID_ARG_TYPE|INVALID_ARG_VALUE|OUT_OF_RANGE|MMAP_SHARED_GONE)$/,
            );
            continue;
          }
          for (const { image, initialPages, pageBytes } of opened.memories) {
            if (image === undefined) continue;
            expect(image.offsetBytes + image.byteLength).toBeLessThanOrEqual(
              Number(initialPages) * pageBytes,
            );
          }
          opened.close();
        }
      }
      expect(numRefused).toBeGreaterThan(20);
    },
  );
});
