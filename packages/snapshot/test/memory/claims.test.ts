import { describe, expect, it, vi } from 'vitest';

import { snapshot } from '../../src/index.js';

type Package = typeof import('../../src/index.js');

/** Another copy of the package, as a second version in a tree of dependencies is. */
async function anotherCopy(): Promise<Package> {
  vi.resetModules();
  return import('../../src/index.js');
}

function memoryOf(value: number): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 });
  new Uint8Array(memory.buffer).fill(value);
  return memory;
}

const holds = (memory: WebAssembly.Memory, value: number): boolean =>
  new Uint8Array(memory.buffer).every((byte) => byte === value);

describe('two copies of the package with one memory', () => {
  it('take turns at restoring it, the second by copying', async () => {
    const another = await anotherCopy();
    const memory = memoryOf(1);
    using ones = snapshot(memory);
    new Uint8Array(memory.buffer).fill(2);
    using twos = another.snapshot(memory);
    expect(twos.method).toBe('copy');
    for (let round = 0; round < 3; round++) {
      twos.restore();
      expect(holds(memory, 2)).toBe(true);
      ones.restore();
      expect(holds(memory, 1)).toBe(true);
      new Uint8Array(memory.buffer)[70_000] = 9;
      ones.restore();
      expect(holds(memory, 1)).toBe(true);
    }
  });

  it('take turns at forking into it', async () => {
    const another = await anotherCopy();
    using ones = snapshot(memoryOf(1));
    using twos = another.snapshot(memoryOf(2));
    const memory = memoryOf(0);
    using zeros = snapshot(memory);
    for (let round = 0; round < 3; round++) {
      twos.restoreInto(memory);
      expect(holds(memory, 2)).toBe(true);
      ones.restoreInto(memory);
      expect(holds(memory, 1)).toBe(true);
      twos.restoreInto(memory);
      zeros.restore();
      expect(holds(memory, 0)).toBe(true);
    }
  });
});
