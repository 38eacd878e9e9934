/** Modules of memories that came from other threads: each as long as one of its memories is there. */
import { expect, it } from 'vitest';
import { AdoptedModules } from '../../src/moving/adopted-modules.js';
import { imageModule } from '../support/memories.js';

it('a module is let go of as often as it was used, and stays for those who use it', () => {
  const adopted = new AdoptedModules();
  const modules = [0x11, 0x22, 0x33].map((value) => imageModule(value));
  const uses = modules.map(({ id, handle }) => adopted.use(id, handle)!);
  const again = adopted.use(modules[0]!.id, modules[0]!.handle)!;
  expect(again.module).toBe(uses[0]!.module);
  again.use.end();
  uses[0]!.use.end();
  expect(() => uses[0]!.use.end()).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  expect(uses.map(({ module }) => module.closed)).toEqual([false, false, false]);
  // Still there for the next one, and counted right.
  const third = adopted.use(modules[0]!.id, modules[0]!.handle)!;
  expect(third.module).toBe(again.module);
  third.use.end();
  adopted.close();
  expect(uses.map(({ module }) => module.closed)).toEqual([true, true, true]);
});
