/**
 * Every public function, method and option of every package, with everything that it does not take. What there is to try is
 * read off the modules and the prototypes, so that a function without an entry here fails.
 */
import * as layout from '@guardstripe/layout';
import * as allocators from '@guardstripe/index-allocator';
import * as mmap from '@guardstripe/mmap';
import * as mpk from '@guardstripe/mpk';
import * as pools from '@guardstripe/memory-pool';
import { afterAll, describe, expect, it } from 'vitest';
import { ALLOCATORS } from './bad-arguments/allocators.js';
import { MAPS } from './bad-arguments/maps.js';
import { POOLS } from './bad-arguments/pools.js';
import { PURE } from './bad-arguments/pure.js';
import { BAD, GRAMMAR, isClass, type Entry } from './bad-arguments/trying.js';

const ENTRIES: Readonly<Record<string, Entry>> = { ...PURE, ...ALLOCATORS, ...MAPS, ...POOLS };

/** Not tried here: two classes that have their own tests of it, and two methods for the packages' own use. */
const NOT_HERE = /^(?:PageRestorer|ViewLedger)\b|^PoolModule\.template$|^ProtectionMask\.assertHeld$/;

/** Classes that only a package's own functions make: their methods are public, their constructors are not. */
const MADE: readonly object[] = Object.values(ENTRIES).flatMap(({ made }) => made ?? []);

function namesOf(): string[] {
  const names: string[] = [];
  for (const [name, value] of Object.entries({ ...layout, ...allocators, ...mmap, ...mpk, ...pools })) {
    if (typeof value !== 'function') continue;
    if (!isClass(value)) names.push(name);
    else if (!(value.prototype instanceof Error)) names.push(name, ...methodsOf(name, value));
  }
  for (const made of MADE) {
    const { constructor } = made;
    // The compiler gives a class that names itself a second name.
    names.push(...methodsOf(constructor.name.replace(/^_/, ''), constructor));
  }
  return [...new Set(names)].filter((name) => !NOT_HERE.test(name)).toSorted();
}

function methodsOf(name: string, maker: unknown): string[] {
  const { prototype } = maker as { prototype: object };
  const isMethod = ([key, { value }]: [string, PropertyDescriptor]) =>
    typeof value === 'function' && key !== 'constructor' && !isClass(value);
  const own = chainOf(prototype)
    .flatMap((each) => Object.entries(Object.getOwnPropertyDescriptors(each)))
    .filter((entry) => isMethod(entry));
  const statics = Object.entries(Object.getOwnPropertyDescriptors(maker)).filter((entry) => isMethod(entry));
  return [...own.map(([key]) => `${name}.${key}`), ...statics.map(([key]) => `${name}.${key}`)];
}

/** A prototype, and those above it but for that of all objects. */
function chainOf(prototype: object): object[] {
  const above = Object.getPrototypeOf(prototype) as object | null;
  return above === null ? [] : [prototype, ...chainOf(above)];
}

afterAll(() => {
  for (const made of MADE.toReversed()) {
    if ('close' in made && typeof made.close === 'function')
      (made.close as (options?: object) => void)(
        made instanceof pools.MemoryPool ? { force: true } : undefined,
      );
  }
});

describe('bad arguments', () => {
  it('are tried of every public function and method', () => {
    expect(Object.keys(ENTRIES).toSorted()).toEqual(namesOf());
  });

  it.each(
    Object.entries(ENTRIES).flatMap(([name, { tries }]) => tries.map((attempt) => ({ name, ...attempt }))),
  )('$name, $what', async ({ name, call, may, state }) => {
    for (const [label, value] of Object.entries(BAD)) {
      const before = state?.();
      let outcome: unknown = 'nothing was thrown';
      try {
        await call(value());
      } catch (error) {
        outcome = error;
      }
      const of = `${name} of ${label}`;
      if (outcome === 'nothing was thrown') {
        expect(may, `${of} passes`).toContain(label);
        continue;
      }
      expect(outcome, of).toBeInstanceOf(Error);
      const { code, message, name: className } = outcome as Error & { code?: string };
      const { pattern, of: wanted } = GRAMMAR[code ?? ''] ?? {
        pattern: /^$/,
        of: `a code, not ${code}: ${message}`,
      };
      expect(className, of).toBe(wanted);
      expect(message, of).toMatch(pattern);
      expect(state?.(), `${of} changes nothing`).toEqual(before);
    }
  });
});
