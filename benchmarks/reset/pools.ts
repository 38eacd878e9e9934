/** What resets come to in a pool with its default settings: recycling, in place, thirty modules in turn, and after a fat tenant. */
import { describeMemory, describeModule, MemoryPool, type PoolModule } from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import { CPU_TIME, type CProgram } from '../support/c-program.ts';
import {
  cpuTimed,
  measure,
  median,
  ratio,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { imageContents, moduleBytes, PAGE, WASM_PAGE } from '../support/wasm-module.ts';
import { spread } from './patterns.ts';

const MIB = 2 ** 20;
const NUM_MODULES = 30;
const MAX_LIVE = 60;
const STEADY_AFTER = 20_000;

export interface PoolResults {
  readonly inPlace: readonly Measurement[];
  readonly inPlaceToC: number | undefined;
  readonly modules: readonly Measurement[];
  readonly modulesToOne: number;
  readonly recovery: readonly Recovery[];
}

/** Recycles of a slot after a tenant that wrote or read everything, each as a multiple of the usual one. */
export interface Recovery {
  readonly after: string;
  readonly usualNs: number;
  readonly ratios: readonly number[];
}

export async function inPools(c: CProgram | undefined, options: MeasureOptions): Promise<PoolResults> {
  const inPlace = await resetInPlace(c, options);
  const ofC = inPlace
    .filter(({ name }) => name.startsWith('C: '))
    .map((measurement) => ratio(inPlace[0]!, measurement));
  const modules = await manyModules(options);
  return {
    inPlace,
    inPlaceToC: ofC.length === 0 ? undefined : Math.max(...ofC),
    modules,
    modulesToOne: ratio(modules[0]!, modules[1]!),
    recovery: [recover('wrote 900 of 1,024 pages', 'write'), recover('read all of 1,024 pages', 'read')],
  };
}

/** 64 MiB of image, 40 other pages each time, of a memory that stays live. */
async function resetInPlace(
  c: CProgram | undefined,
  options: MeasureOptions,
): Promise<readonly Measurement[]> {
  const numPages = (64 * MIB) / PAGE;
  using module = describeMemory({ initial: (64 * MIB) / WASM_PAGE, contents: imageContents(64 * MIB) });
  using pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 64 * MIB });
  using memory = pool.openStore().allocate({ module });
  const bytes = new Uint8Array(memory.unsafeBuffer);
  const pages = spread(40, numPages);
  let i = 0;
  const contender = cpuTimed('memory.reset()', (iterations) => {
    for (const end = i + iterations; i < end; i++) {
      for (const page of pages) bytes[((page + i * 97) % numPages) * PAGE] = i | 1;
      memory.reset();
    }
  });
  const modes = c === undefined ? [] : (['scan', 'kept', 'drop'] as const);
  const started = modes.map((mode) => ({ mode, process: c!.start(64 * MIB, 64 * MIB, CPU_TIME) }));
  const inC = started.map(({ mode, process }) =>
    process.contender(`C: ${mode}`, mode, pages, { shift: 97, read: false }),
  );
  const measurements = await measure([contender, ...inC], options);
  for (const { process } of started) process.end();
  return measurements;
}

/** Thirty modules of 64 to 512 KiB, up to sixty memories live, one tenant in four writes a byte; and one module that writes a page. */
async function manyModules(options: MeasureOptions): Promise<readonly Measurement[]> {
  const modules = Array.from({ length: NUM_MODULES }, (_, i) =>
    describeModule(moduleBytes(1 + (i % 8), imageContents(4096 * (1 + (i % 5))))),
  );
  const many = tenants(modules, 4);
  const one = tenants(modules.slice(7, 8), 1);
  // A steady mix: what a slot's first tenant of all costs, and code that is not compiled yet, are over by then.
  for (const { run } of [many, one]) run(STEADY_AFTER);
  const measurements = await measure(
    [
      cpuTimed('thirty modules, one tenant in four writes a byte', many.run),
      cpuTimed('one module, each tenant writes a page', one.run),
    ],
    options,
  );
  many.end();
  one.end();
  for (const module of modules) module.close();
  return measurements;
}

function tenants(
  modules: readonly PoolModule[],
  everyWrites: number,
): { run: (iterations: number) => void; end: () => void } {
  const pool = MemoryPool.create({ maxMemorySize: MIB });
  const store = pool.openStore();
  const live: (ReturnType<typeof store.allocate> | undefined)[] = Array.from({ length: MAX_LIVE });
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (seed >>> 8) % below;
  };
  const run = (iterations: number) => {
    for (let i = 0; i < iterations; i++) {
      const at = random(modules.length === 1 ? 1 : MAX_LIVE);
      live[at]?.free();
      const memory = store.allocate({ module: modules[random(modules.length)]! });
      live[at] = memory;
      if (random(everyWrites) === 0) {
        const page = modules.length === 1 ? 3 : random(memory.byteLength / PAGE);
        memory.fill(1, page * PAGE, 1);
      }
    }
  };
  return { run, end: () => pool.close({ force: true }) };
}

/** Recycles of four pages, one tenant that writes or reads nearly everything, and the recycles after it. */
function recover(after: string, kind: 'write' | 'read'): Recovery {
  const numPages = (4 * MIB) / PAGE;
  const usual: number[] = [];
  const later: number[][] = [[], [], []];
  using module = describeMemory({ initial: (4 * MIB) / WASM_PAGE, contents: imageContents(64 * 1024) });
  for (let trial = 0; trial < 40; trial++) {
    using pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 4 * MIB });
    const store = pool.openStore();
    const first = store.allocate({ module });
    const view = createView(first.address, 4 * MIB);
    const bytes = new Uint8Array(view);
    first.free();
    const recycle = (): number => {
      const start = process.hrtime.bigint();
      const memory = store.allocate({ module });
      for (let page = 0; page < 4; page++) bytes[page * 200 * PAGE] = trial | 1;
      memory.free();
      return Number(process.hrtime.bigint() - start);
    };
    for (let i = 0; i < 300; i++) {
      const ns = recycle();
      if (i >= 100) usual.push(ns);
    }
    const fat = store.allocate({ module });
    let sum = 0;
    for (let page = 0; page < numPages; page++) {
      if (kind === 'read') sum += bytes[page * PAGE]!;
      else if (page < 900) bytes[page * PAGE] = 1;
    }
    fat.free();
    for (const times of later) times.push(recycle());
    detachView(view);
    if (sum < 0) throw new Error('Bytes are not negative');
  }
  const usualNs = median(usual);
  return { after, usualNs, ratios: later.map((ns) => median(ns) / usualNs) };
}

export function printPools({ inPlace, inPlaceToC, modules, modulesToOne, recovery }: PoolResults): void {
  printTable(
    '64 MiB of image, 40 other pages each time, put back in place, in CPU time',
    ['', 'time'],
    inPlace.map(({ name, medianNs }) => [name, duration(medianNs)]),
  );
  if (inPlaceToC !== undefined) console.log(`\nmemory.reset() to the best of C: ${times(inPlaceToC)}`);
  printTable(
    'A tenancy with the default settings, in CPU time',
    ['', 'time'],
    modules.map(({ name, medianNs }) => [name, duration(medianNs)]),
  );
  console.log(`\nthirty modules to one: ${times(modulesToOne)}`);
  printTable(
    'Recycles of 4 pages of 4 MiB after one tenant that did more, as multiples of the usual one',
    ['after a tenant that', 'usual', 'the 1st', 'the 2nd', 'the 3rd'],
    recovery.map(({ after, usualNs, ratios }) => [after, duration(usualNs), ...ratios.map(times)]),
  );
}
