import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Admission } from '../../src/core/admission.js';
import { describeMemory } from '../../src/index.js';
import { PoolModule } from '../../src/module/module.js';

const MIB = 2 ** 20;

/** What a pool that never saw anything says: nothing, or an error's text. */
function answer(admission: Admission, module: unknown): string {
  try {
    admission.check(module as PoolModule);
    return 'let in';
  } catch (error) {
    return String(error);
  }
}

it('a pool that lets a module in says nothing of what another pool does, however often and in which order they are asked', () => {
  const modules = [1, 16, 32].map((initial) => describeMemory({ initial }));
  const one = modules[0]!;
  const strangers = [
    'text',
    7,
    null,
    undefined,
    {},
    Object.create(one),
    new Proxy(one, {}),
    structuredClone({}),
  ];
  const asked = [...modules, ...strangers];
  const limits = [MIB / 16, MIB, 2 * MIB];
  const ask = fc.record({ pool: fc.nat(limits.length - 1), module: fc.nat(asked.length - 1) });
  fc.assert(
    fc.property(fc.array(ask, { maxLength: 40 }), (asks) => {
      const pools = limits.map((limit) => new Admission(1, limit));
      for (const { pool, module } of asks) {
        const fresh = new Admission(1, limits[pool]!);
        expect(answer(pools[pool]!, asked[module])).toBe(answer(fresh, asked[module]));
      }
    }),
  );
  // Some of each, or nothing was compared.
  const answers = limits.map((limit) =>
    modules.map((module) => answer(new Admission(1, limit), module) === 'let in'),
  );
  expect(answers).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

it('what only looks like a module is refused by its name', () => {
  const module = describeMemory({ initial: 1 });
  const lookalikes = [
    Object.create(module),
    new Proxy(module, {}),
    Object.setPrototypeOf({}, PoolModule.prototype),
  ];
  for (const lookalike of lookalikes as PoolModule[])
    expect(() => new Admission(1, MIB).check(lookalike)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
});
