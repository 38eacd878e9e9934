/** Modules of threads that share a pool: the same bytes are the same module, whichever way they came. */
import { fstatSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAX_MEMORY_INDEX } from '@guardstripe/index-allocator';
import { processState } from '@guardstripe/mmap';
import { dataSection, encodeModule, memoryType, moduleOf, section, vector } from '@guardstripe/wasm-builder';
import { describeMemory, describeModule, openModule, type PoolModule } from '../../src/index.js';
import { hashModule } from '../../src/module/content.js';
import { ModuleTable } from '../../src/threads/module-table.js';
import { SharedModules } from '../../src/threads/shared-modules.js';
import { smallPool } from '../support/memories.js';

const state = processState()!;
const threads = { self: state.thread, isAlive: (thread: number) => !state.isGone(thread) };

/** As two threads have it. */
function two(capacity?: number): [SharedModules, SharedModules] {
  const one = SharedModules.create(threads, capacity);
  return [one, SharedModules.attach(one.buffer, threads)];
}

const contents = (byte: number) => describeMemory({ initial: 2, contents: new Uint8Array(5000).fill(byte) });

const moduleWithData = (byte: number) =>
  encodeModule({ memories: [{ minimum: 1 }], segments: [{ memoryIndex: 0, offset: 0, data: [byte] }] });

function idsOf(modules: SharedModules, module: PoolModule) {
  const { key, image } = modules.template(module, undefined);
  return { key, imageId: image?.id, inode: image && fstatSync(image.parts[0]!.file.fd).ino };
}

describe('modules that threads share', () => {
  it('are one where their bytes are the same: one number, one image, one file', () => {
    const [here, there] = two();
    using one = contents(1);
    using same = contents(1);
    using other = contents(2);
    const ids = idsOf(here, one);
    expect(idsOf(there, same)).toEqual(ids);
    expect(idsOf(here, one)).toEqual(ids);
    expect(idsOf(there, other).key.moduleId).not.toBe(ids.key.moduleId);
    expect(idsOf(there, other).imageId).not.toBe(ids.imageId);
    expect(ids.imageId).not.toBe(one.template(undefined).image?.id);
  });

  it('differ where anything differs that a memory starts with', () => {
    const [here, there] = two();
    const described = [
      describeMemory({ initial: 1 }),
      describeMemory({ initial: 2 }),
      describeMemory({ initial: 1, maximum: 7 }),
      describeMemory({ initial: 1, contents: Uint8Array.of(1) }),
      describeMemory({ initial: 1, contents: Uint8Array.of(1), contentsOffset: 4096 }),
      describeMemory({ initial: 1, contents: Uint8Array.of(1), contentsOffset: 1 }),
      describeModule(moduleWithData(1)),
      describeModule(moduleWithData(2)),
    ];
    const numbers = described.map((module) => here.template(module, undefined).key.moduleId);
    expect(new Set(numbers).size).toBe(described.length);
    expect(described.map((module) => there.template(module, undefined).key.moduleId)).toEqual(numbers);
    for (const module of described) module.close();
  });

  it('have images of their own, however many memories are before theirs', () => {
    const [here] = two();
    // As many as V8 takes: more than the index allocator has keys for.
    const memories = Array.from({ length: 100_000 }, () => memoryType({ minimum: 1 }));
    const indices = [0, MAX_MEMORY_INDEX, MAX_MEMORY_INDEX + 1, memories.length - 1];
    const segments = indices.map((memoryIndex) => ({ memoryIndex, offset: 0, data: [1] }));
    const many = moduleOf(section(5, vector(memories)), dataSection(...segments));
    using module = describeModule(many);
    using next = contents(1);
    const found = [
      ...indices.map((index) => here.template(module, index).image?.id),
      here.template(next, undefined).image?.id,
    ];
    expect(found).not.toContain(undefined);
    expect(new Set(found).size).toBe(found.length);

    for (const shared of [false, true]) {
      using pool = smallPool({ shared, maxMemoriesPerModule: memories.length, totalMemories: 3 });
      using store = pool.openStore();
      expect(store.allocate({ module, memoryIndex: MAX_MEMORY_INDEX }).read(0, 2)).toEqual(
        Uint8Array.of(1, 0),
      );
      expect(() => store.allocate({ module, memoryIndex: MAX_MEMORY_INDEX + 1 })).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
      expect(pool.metrics().liveMemories).toBe(1);
    }
  });

  it('keep their number when no thread has them for a while, and get another file', () => {
    const [here, there] = two();
    const first = contents(3);
    const { key, imageId } = idsOf(here, first);
    first.close();
    expect(() => here.template(first, undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_CLOSED' }),
    );
    using second = contents(3);
    expect(idsOf(there, second)).toMatchObject({ key, imageId });
  });

  it('make room for others when they are closed, and not before', () => {
    const [here] = two(2);
    const open = [contents(1), contents(2)];
    for (const module of open) here.template(module, undefined);
    using third = contents(3);
    expect(() => here.template(third, undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_TOO_MANY_MODULES' }),
    );
    open[0]!.close();
    expect(here.template(third, undefined).key.moduleId).toBeGreaterThan(0);
    open[1]!.close();
  });

  it('of a handle are the same, with the same file, whether the pool knew them or not', () => {
    const [here, there] = two();
    using module = contents(5);
    using before = openModule(structuredClone(module.handle));
    const ids = idsOf(there, before);
    expect(idsOf(here, module)).toEqual(ids);
    using after = openModule(structuredClone(module.handle));
    expect(idsOf(there, after)).toEqual(ids);
  });

  it('do not have the number of another content, where the place of its file was written over', () => {
    const [here, there] = two();
    using module = contents(8);
    using large = describeMemory({ initial: 2, contents: new Uint8Array(50_000).fill(9) });
    const { origin } = module;
    const hash = hashModule(origin!, origin!.file.contentHash);
    ModuleTable.attach(here.buffer, threads).put(hash, 77, large.origin!.file.share());
    expect(() => idsOf(there, module)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  });

  it('of a handle that says wrong what its bytes are get the number of what they are', () => {
    const [here, there] = two();
    using good = contents(6);
    using evil = contents(7);
    const ids = idsOf(here, good);
    const parts = evil.handle.poolModule as { contentHash: Uint8Array };
    const { contentHash } = good.handle.poolModule as { contentHash: Uint8Array };
    using forged = openModule({ poolModule: { ...parts, contentHash } });
    expect(idsOf(there, forged).key.moduleId).not.toBe(ids.key.moduleId);
    expect(idsOf(there, forged)).toEqual(idsOf(here, evil));
  });
});
