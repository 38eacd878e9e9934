/** What a person sees of an object in a terminal: its class by the name it is exported under, and what it is now. */
import { inspect } from 'node:util';
import { ModuleAffinityIndexAllocator, SimpleIndexAllocator } from '@guardstripe/index-allocator';
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { memoryImage, Mmap } from '@guardstripe/mmap';
import { ProtectionMask } from '@guardstripe/mpk';
import { snapshot } from '@guardstripe/snapshot';
import { afterAll, expect, it } from 'vitest';

const pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 2 ** 20, memoryProtectionKeys: 'disable' });
const store = pool.openStore();
const module = describeMemory({ initial: 1 });
const memory = store.allocate({ module });
const freed = store.allocate({ module });
freed.free();
const map = Mmap.anonymous(4096);
const image = memoryImage(Uint8Array.of(1));
const { Memory } = Reflect.get(globalThis, 'WebAssembly') as { Memory: new (type: object) => never };
const taken = snapshot(new Memory({ initial: 1 }));
afterAll(() => {
  pool.close({ force: true });
  for (const owner of [map, image, taken, module]) owner.close();
});

it.each([
  [pool, /^MemoryPool \{ 3 slots of 1 MiB, 1 live \}$/],
  [store, /^Store \{ stripe 0, 1 live \}$/],
  [memory, /^PooledMemory \{ 0x10000 \(64 KiB\) at 0x[0-9a-f]+, slot \d \}$/],
  [freed, /^PooledMemory \{ slot \d, freed \}$/],
  [module, /^PoolModule \{ 1 memory of its own, id \d+ \}$/],
  [map, /^Mmap \{ 0x1000 \(4 KiB\) at 0x[0-9a-f]+, open \}$/],
  [image, /^MemoryImage \{ 0x1000 \(4 KiB\) \}$/],
  [ProtectionMask.zero, /^ProtectionMask \{ /],
  [new SimpleIndexAllocator(3), /^SimpleIndexAllocator \{ 0 of 3 slots used \}$/],
  [new ModuleAffinityIndexAllocator(3, 1), /^ModuleAffinityIndexAllocator \{ 0 of 3 slots used \}$/],
  [taken, /^Snapshot \{ /],
] as const)('shows %o', (instance, shown) => {
  expect(inspect(instance)).toMatch(shown);
  // What only looks like an instance does not end the program that prints it.
  const { name } = instance.constructor;
  expect([`[${name}]`, `${name} {}`]).toContain(
    inspect(Object.create(Object.getPrototypeOf(instance) as object)),
  );
});

it('keeps the names of classes in stack traces', () => {
  const classes = [MemoryPool, Mmap, ProtectionMask, ModuleAffinityIndexAllocator, SimpleIndexAllocator];
  expect(classes.map(({ name }) => name)).toEqual([
    'MemoryPool',
    'Mmap',
    'ProtectionMask',
    'ModuleAffinityIndexAllocator',
    'SimpleIndexAllocator',
  ]);
  let stack = '';
  try {
    MemoryPool.create(null as never);
  } catch (error) {
    ({ stack = '' } = error as Error);
  }
  // Node 22 says `Function.create` of a static method.
  expect(stack).toMatch(/ at (?:MemoryPool|Function)\.create /);
  expect(stack).not.toContain('_MemoryPool');
});
