import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { expect, it } from 'vitest';
import { InvalidModuleError, parseModule, planImages, type ParsedModule } from '../../src/wasm/index.js';
import { encodeModule } from '@guardstripe/wasm-builder';
import { v8 } from './v8.js';

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/wasm-modules.json', import.meta.url), 'utf8'),
) as { readonly hex: string }[];

const seeds: readonly Uint8Array[] = [
  ...vectors.map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex'))),
  encodeModule({
    memories: [
      { minimum: 1n, importName: ['env', 'memory'] },
      { minimum: 2n, maximum: 3n },
      { minimum: 2n, maximum: 3n, index: 'i64' },
    ],
    segments: [
      { memoryIndex: 0, offset: 5n, data: [1, 2, 3] },
      { memoryIndex: 1, offset: 65_536n, data: [4, 5] },
      { memoryIndex: 2, offset: [0x42, 1, 0x42, 2, 0x7c], data: [4, 5] },
      { data: [6] },
    ],
  }),
];

const mutant = fc
  .record({
    seed: fc.constantFrom(...seeds),
    edits: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
    cut: fc.option(fc.nat(), { freq: 3 }),
  })
  .map(({ seed, edits, cut }) => {
    const bytes = Uint8Array.from(seed);
    for (const [place, value] of edits) bytes[place % bytes.length] = value;
    return cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
  });

/** Sizes of the memories that the instance of a bare module exports; `undefined` if there is no instance. */
function exportedSizes(bytes: Uint8Array): Map<string, number> | undefined {
  const module = new v8.Module(bytes);
  if (v8.Module.imports(module).length > 0) return undefined;
  try {
    const { exports } = new v8.Instance(module);
    const memories = v8.Module.exports(module).filter(({ kind }) => kind === 'memory');
    return new Map(memories.map(({ name }) => [name, exports[name]?.buffer.byteLength ?? -1]));
  } catch (error) {
    if (error instanceof v8.RuntimeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

it('gives an exported memory the size that its instance has', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 5 });
  fc.assert(
    fc.property(sizes, (pages) => {
      const bytes = encodeModule({ memories: pages.map((minimum) => ({ minimum: BigInt(minimum) })) });
      const byUs = parseModule(bytes).memories.map((memory) => Number(memory.minimumPages) * memory.pageSize);
      expect([...(exportedSizes(bytes)?.values() ?? [])]).toEqual(byUs);
    }),
    { numRuns: laps(50, 20) },
  );
});

it('reads a damaged module or says that it is invalid, and takes what V8 takes', () => {
  const seen = { accepted: 0, rejected: 0 };
  fc.assert(
    fc.property(mutant, (bytes) => {
      const parsed = parseOrUndefined(bytes);
      if (parsed !== undefined) planImages(parsed, 4096);
      seen[parsed === undefined ? 'rejected' : 'accepted']++;
      expect(!v8.validate(bytes) || isDeepStrictEqual(view(parsed), viewByV8(bytes))).toBe(true);
    }),
    { numRuns: laps(20_000) },
  );
  expect(seen.accepted).toBeGreaterThan(laps(1000));
  expect(seen.rejected).toBeGreaterThan(laps(1000));
});

function parseOrUndefined(bytes: Uint8Array): ParsedModule | undefined {
  try {
    return parseModule(bytes);
  } catch (error) {
    if (error instanceof InvalidModuleError) return undefined;
    throw error;
  }
}

/** The names of the imported memories. */
function view(parsed: ParsedModule | undefined): unknown {
  return parsed?.memories.flatMap(({ imported }) => (imported ? [[imported.module, imported.name]] : []));
}

function viewByV8(bytes: Uint8Array): unknown {
  const imports = v8.Module.imports(new v8.Module(bytes));
  return imports.filter(({ kind }) => kind === 'memory').map((entry) => [entry.module, entry.name]);
}
