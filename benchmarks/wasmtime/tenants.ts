/** Tenants that come and go, described once and played by both pools. */
import { describeModule, MemoryPool, type PoolModule, type Store } from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import { cpuTimed, type Contender } from '../support/measure.ts';
import { PAGE } from '../support/wasm-module.ts';
import type { Wasmtime } from './program.ts';
import { forWasmtime, type SharedSettings } from './settings.ts';

/** One tenant: which module it runs, the pages it reads and those it writes to. */
export interface Tenant {
  readonly module?: number;
  readonly reads?: readonly number[];
  readonly writes: readonly number[];
}

/** A pattern: what the tenants are instances of, and what they do, one after the other, over and over. */
export interface Pattern {
  readonly name: string;
  readonly memoryBytes: number;
  readonly modules: readonly Uint8Array<ArrayBuffer>[];
  readonly tenants: readonly Tenant[];
}

/** A contender, and how to give back what it holds. */
export interface Guest {
  readonly contender: Contender;
  readonly end: () => void;
}

/** Wasmtime plays the pattern in the engine that the program has now. */
export async function wasmtimeGuest(
  wasmtime: Wasmtime,
  pattern: Pattern,
  settings: SharedSettings,
): Promise<Guest> {
  await wasmtime.settings(forWasmtime(settings));
  for (const module of pattern.modules) await wasmtime.module(module);
  const words = pattern.tenants.map(inWords).join(' ; ');
  const time = async (iterations: number) => Number(await wasmtime.ask(`cycle ${iterations} ${words}`));
  return { contender: { name: 'Wasmtime', time }, end: () => undefined };
}

/**
 * Our pool plays it. A native guest is played by one view a slot that outlives the tenancies: its reads and writes fault as
 * native code's do.
 */
export function poolGuest(pattern: Pattern, settings: SharedSettings): Guest {
  const pool = MemoryPool.create(settings);
  const modules = pattern.modules.map((bytes) => describeModule(bytes));
  const views = new Map<number, Uint8Array>();
  let sum = 0;
  const contender = cpuTimed('pool', (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const tenant = pattern.tenants[i % pattern.tenants.length]!;
      const store = pool.openStore();
      const bytes = memoryOf(store, modules[tenant.module ?? 0]!, views, pattern.memoryBytes);
      if (tenant.reads !== undefined) sum ^= read(bytes, tenant.reads);
      for (const page of tenant.writes) bytes[page * PAGE] = i;
      store.dispose();
    }
  });
  const end = () => {
    for (const view of views.values()) detachView(view.buffer as ArrayBuffer);
    pool.close();
    for (const module of modules) module.close();
    if (Number.isNaN(sum)) throw new Error('What was read is no number');
  };
  return { contender, end };
}

/** A loop that costs what the compiled one of the other side does. */
function read(bytes: Uint8Array, pages: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < pages.length; i++) sum ^= bytes[pages[i]! * PAGE]!;
  return sum;
}

function memoryOf(
  store: Store,
  module: PoolModule,
  views: Map<number, Uint8Array>,
  memoryBytes: number,
): Uint8Array {
  const { slot, address } = store.allocate({ module });
  let view = views.get(slot);
  if (view === undefined) {
    view = new Uint8Array(createView(address, memoryBytes));
    views.set(slot, view);
  }
  return view;
}

function inWords({ module = 0, reads = [], writes }: Tenant): string {
  return [`m${module}`, ...runs('r', reads), ...runs('w', writes)].join(' ');
}

/** Neighbours in one word: all 16,384 pages of 64 MiB are `w0-16384`. */
function runs(kind: 'r' | 'w', pages: readonly number[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < pages.length;) {
    const first = pages[at]!;
    let end = at + 1;
    while (pages[end] === first + (end - at)) end += 1;
    words.push(end - at === 1 ? `${kind}${first}` : `${kind}${first}-${first + (end - at)}`);
    at = end;
  }
  return words;
}
