/** What tenants do to their memories. */
import { dirtyPages } from '../pool/recycle.ts';
import { imageContents, moduleBytes, PAGE, WASM_PAGE } from '../support/wasm-module.ts';
import type { Pattern, Tenant } from './tenants.ts';

const MIB = 2 ** 20;
const IMAGE_BYTES = 64 * 1024;

/** Lists of tenants that go on and on must be long enough that no slot sees the same pages soon again. */
const TENANTS = 64;

function oneModule(name: string, memoryBytes: number, tenants: readonly Tenant[]): Pattern {
  const module = moduleBytes(memoryBytes / WASM_PAGE, imageContents(IMAGE_BYTES));
  return { name, memoryBytes, modules: [module], tenants };
}

/** The same pages each time. */
export function samePages(count: number): Pattern {
  return oneModule(`${count} pages, always the same`, MIB, [{ writes: dirtyPages(count) }]);
}

/** The patterns of the benchmark of resets that say most, each with its cliff. */
export function patterns(): readonly Pattern[] {
  const pages = MIB / PAGE;
  const all = Array.from({ length: pages }, (_, page) => page);
  const scattered = (tenant: number, count: number, among: number) =>
    Array.from(
      { length: count },
      (_, i) => Math.floor(((i + 0.37 * tenant) * among) / count) % among,
    ).toSorted((a, b) => a - b);
  const slim = { writes: dirtyPages(4) };
  const largePages = (64 * MIB) / PAGE;
  return [
    oneModule(
      '4 pages, others each time',
      MIB,
      Array.from({ length: TENANTS }, (_, tenant) => ({ writes: scattered(tenant, 4, pages) })),
    ),
    oneModule('one in 64 writes everything, the others 4 pages', MIB, [
      { writes: all },
      ...Array.from({ length: TENANTS - 1 }, () => slim),
    ]),
    oneModule('reads everything, writes 4 pages', MIB, [{ reads: all, ...slim }]),
    oneModule('writes everything', MIB, [{ writes: all }]),
    thirtyModules(),
    oneModule(
      '64 MiB, 40 pages, others each time',
      64 * MIB,
      Array.from({ length: TENANTS }, (_, tenant) => ({ writes: scattered(tenant, 40, largePages) })),
    ),
  ];
}

/** Modules of 64 to 512 KiB; one tenant in four writes to one page. */
function thirtyModules(): Pattern {
  const sizes = Array.from({ length: 30 }, (_, module) => 1 + (module % 8));
  return {
    name: '30 modules, one tenant in four writes a page',
    memoryBytes: 8 * WASM_PAGE,
    modules: sizes.map((wasmPages) => moduleBytes(wasmPages, imageContents(IMAGE_BYTES / 4))),
    tenants: Array.from({ length: 120 }, (_, tenant) => {
      const module = (tenant * 7) % 30;
      const pages = (sizes[module]! * WASM_PAGE) / PAGE;
      return { module, writes: tenant % 4 === 0 ? [(tenant * 13) % pages] : [] };
    }),
  };
}
