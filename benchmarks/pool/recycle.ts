/**
 * Allocate, write to some pages, free: 1 MiB, of which the first 64 KiB are an image, the same module every time.
 *
 * A native guest is played by one view that outlives all tenancies: its writes fault as a native guest's do, and no
 * view has to be made. The C program does the same without a pool.
 */
import { describeModule, MemoryPool, type MemoryPoolConfig, type PoolModule } from '@guardstripe/memory-pool';
import { createView, detachView, platform, type DirtyPages, type VirtualMemory } from '@guardstripe/mmap';
import type { CProgram } from '../support/c-program.ts';
import {
  inProcess,
  measure,
  ratio,
  type Contender,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { imageContents, moduleBytes, PAGE, WASM_PAGE } from '../support/wasm-module.ts';

export const MIB = 2 ** 20;
const MEMORY_PAGES = MIB / PAGE;
export const IMAGE_BYTES = 64 * 1024;
const IMAGE_PAGES = IMAGE_BYTES / PAGE;
export const DIRTY_COUNTS = [0, 1, 4, 16, 64];

const WAYS = {
  default: {},
  drop: { linearMemoryKeepResident: 0 },
  scan: { linearMemoryKeepResident: MIB, pagemapScan: 'enable' },
  write: { linearMemoryKeepResident: MIB, pagemapScan: 'disable' },
} as const satisfies Record<string, MemoryPoolConfig>;
type Way = keyof typeof WAYS;

/** One number of dirty pages. */
export interface RecycleResult {
  readonly dirtyPages: number;
  readonly measurements: readonly Measurement[];
}

/**
 * Half of the pages in the image as long as it has as many, the others spread over the zeros: no two are neighbours if
 * they need not be.
 */
export function dirtyPages(count: number): number[] {
  const inImage = Math.min(Math.ceil(count / 2), IMAGE_PAGES);
  const outside = count - inImage;
  const spread = (from: number, pages: number, among: number) =>
    Array.from({ length: among }, (_, i) => from + Math.floor((i * pages) / among));
  return [
    ...spread(0, IMAGE_PAGES, inImage),
    ...spread(IMAGE_PAGES + 8, MEMORY_PAGES - IMAGE_PAGES - 8, outside),
  ];
}

export async function recycle(
  c: CProgram | undefined,
  scan: boolean,
  options: MeasureOptions,
): Promise<readonly RecycleResult[]> {
  const data = imageContents(IMAGE_BYTES);
  const bytes = moduleBytes(MIB / WASM_PAGE, data);
  using module = describeModule(bytes);
  const ways: Way[] = scan ? ['default', 'drop', 'scan', 'write'] : ['default', 'drop', 'write'];
  const modes = ways.filter((way) => way !== 'default');
  const results: RecycleResult[] = [];
  for (const count of DIRTY_COUNTS) {
    const pages = dirtyPages(count);
    const cProcess = c?.start(MIB, IMAGE_BYTES);
    const guests = ways.map((way) => nativeGuest(way, module, pages));
    const viewers = ways.filter((way) => way !== 'write').map((way) => viewGuest(way, module, pages));
    const bare = modes
      .filter((way) => way !== 'write')
      .map((way) => bareCalls(`calls only: ${way}`, way, module, data, pages));
    const all = [...bare, ...guests, ...viewers, copyingGuest(module, pages)];
    const contenders = [
      ...modes.flatMap((way) => cProcess?.contender(`C: ${way}`, way, pages) ?? []),
      ...all.map(({ contender }) => contender),
      ...engine(bytes, data, pages),
    ];
    const measurements = await measure(contenders, options);
    cProcess?.end();
    for (const guest of all) guest.end();
    results.push({ dirtyPages: count, measurements });
  }
  return results;
}

/** A contender, and how to give back what it holds. */
export interface Guest {
  readonly contender: Contender;
  readonly end: () => void;
}

export function openPool(way: Way, virtualMemory: VirtualMemory = platform()): MemoryPool {
  return MemoryPool.create({
    totalMemories: 16,
    maxMemorySize: MIB,
    memoryProtectionKeys: 'disable',
    virtualMemory,
    ...WAYS[way],
  });
}

export function nativeGuest(way: Way, module: PoolModule, pages: readonly number[]): Guest {
  const pool = openPool(way);
  const store = pool.openStore();
  const request = { module };
  const first = store.allocate(request);
  const { address } = first;
  const view = createView(address, MIB);
  const guest = new Uint8Array(view);
  first.free();
  const contender = inProcess(`pool: ${way}`, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const memory = store.allocate(request);
      if (memory.address !== address) throw new Error('Another slot than the one that the guest knows');
      for (const page of pages) guest[page * PAGE] = i;
      memory.free();
    }
  });
  const end = () => {
    detachView(view);
    pool.close();
  };
  return { contender, end };
}

/**
 * The pool's system calls and copies alone, from JavaScript, on a memory that stays allocated: what no pool can go below.
 *
 * @param beside - done after each reset
 */
export function bareCalls(
  name: string,
  way: 'drop' | 'scan',
  module: PoolModule,
  data: Uint8Array,
  pages: readonly number[],
  beside?: () => void,
): Guest {
  const pool = openPool(way);
  const memory = pool.openStore().allocate({ module });
  const { address } = memory;
  const view = createView(address, MIB);
  const guest = new Uint8Array(view);
  const system = platform();
  const dirty: DirtyPages = {
    starts: new Float64Array(64),
    ends: new Float64Array(64),
    count: 0,
    walkEnd: 0,
  };
  const writeBack = () => {
    system.scanDirtyPages(address, MIB, MEMORY_PAGES, dirty);
    for (let region = 0; region < dirty.count; region++) {
      const start = (dirty.starts[region] ?? 0) - address;
      const end = (dirty.ends[region] ?? 0) - address;
      if (start < IMAGE_BYTES) guest.set(data.subarray(start, end), start);
      else guest.fill(0, start, end);
    }
  };
  const reset = way === 'scan' ? writeBack : () => system.decommit(address, MIB);
  const contender = inProcess(name, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      for (const page of pages) guest[page * PAGE] = i;
      reset();
      beside?.();
    }
  });
  const end = () => {
    detachView(view);
    memory.free();
    pool.close();
  };
  return { contender, end };
}

function viewGuest(way: Way, module: PoolModule, pages: readonly number[]): Guest {
  const pool = openPool(way);
  const store = pool.openStore();
  const request = { module };
  const contender = inProcess(`pool: ${way}, with a view`, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const memory = store.allocate(request);
      const bytes = new Uint8Array(memory.unsafeBuffer);
      for (const page of pages) bytes[page * PAGE] = i;
      memory.free();
    }
  });
  return { contender, end: () => pool.close() };
}

/** Through copying access, with the default settings: no view is made. */
function copyingGuest(module: PoolModule, pages: readonly number[]): Guest {
  const pool = openPool('default');
  const store = pool.openStore();
  const request = { module };
  const bytes = new Uint8Array(1);
  const contender = inProcess('pool: default, memory.write', (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const memory = store.allocate(request);
      bytes[0] = i;
      for (const page of pages) memory.write(page * PAGE, bytes);
      memory.free();
    }
  });
  return { contender, end: () => pool.close() };
}

/** What JavaScript has without a pool. */
function engine(bytes: Uint8Array<ArrayBuffer>, data: Uint8Array, pages: readonly number[]): Contender[] {
  const compiled = new WebAssembly.Module(bytes);
  const descriptor = { initial: MIB / WASM_PAGE, maximum: MIB / WASM_PAGE };
  const write = (memory: Uint8Array, value: number) => {
    for (const page of pages) memory[page * PAGE] = value;
  };
  return [
    inProcess('new WebAssembly.Instance', (iterations) => {
      for (let i = 0; i < iterations; i++) {
        const { exports } = new WebAssembly.Instance(compiled);
        write(new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer), i);
      }
    }),
    inProcess('new WebAssembly.Memory, copy', (iterations) => {
      for (let i = 0; i < iterations; i++) {
        const memory = new Uint8Array(new WebAssembly.Memory(descriptor).buffer);
        memory.set(data);
        write(memory, i);
      }
    }),
    inProcess('Buffer.alloc, copy', (iterations) => {
      for (let i = 0; i < iterations; i++) {
        const memory = Buffer.alloc(MIB);
        memory.set(data);
        write(memory, i);
      }
    }),
  ];
}

export function printRecycle(results: readonly RecycleResult[]): void {
  const names = results[0]?.measurements.map(({ name }) => name) ?? [];
  const find = (result: RecycleResult, name: string) =>
    result.measurements.find((measurement) => measurement.name === name);
  printTable(
    'Recycling 1 MiB with an image of 64 KiB: allocate, write to some pages, free',
    ['dirty pages', ...results.map(({ dirtyPages }) => String(dirtyPages))],
    names.map((name) => [
      name,
      ...results.map((result) => duration(find(result, name)?.medianNs ?? Number.NaN)),
    ]),
  );
  const compared = (title: string, name: string, reference: string, inverse = false): string[][] => {
    const cells = results.map((result) => {
      const [a, b] = [find(result, name), find(result, reference)];
      if (a === undefined || b === undefined) return undefined;
      return times(inverse ? ratio(b, a) : ratio(a, b));
    });
    return cells.includes(undefined) ? [] : [[title, ...(cells as string[])]];
  };
  const figures = results.map(({ dirtyPages }) => String(dirtyPages));
  const viewed = 'pool: default, with a view';
  printTable(
    'The same as ratios (medians over the rounds, each round with its own reference)',
    ['dirty pages', ...figures],
    [
      ...compared('calls only: drop / C: drop', 'calls only: drop', 'C: drop'),
      ...compared('calls only: scan / C: scan', 'calls only: scan', 'C: scan'),
      ...compared('pool: default / C: scan', 'pool: default', 'C: scan'),
      ...compared('pool: default / calls only: scan', 'pool: default', 'calls only: scan'),
      ...compared('pool: default / calls only: drop', 'pool: default', 'calls only: drop'),
      ...compared('new Instance / pool: default', 'pool: default', 'new WebAssembly.Instance', true),
      ...compared('pool: drop / C: drop', 'pool: drop', 'C: drop'),
      ...compared('pool: scan / C: scan', 'pool: scan', 'C: scan'),
      ...compared('pool: write / C: write', 'pool: write', 'C: write'),
      ...compared(`new Instance / ${viewed}`, viewed, 'new WebAssembly.Instance', true),
      ...compared(`new Memory, copy / ${viewed}`, viewed, 'new WebAssembly.Memory, copy', true),
      ...compared(`Buffer.alloc, copy / ${viewed}`, viewed, 'Buffer.alloc, copy', true),
    ],
  );
}
