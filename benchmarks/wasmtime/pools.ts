/** Pools as a whole: making them, filling them, sharing them between threads, and modules that come and go. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describeModule, MemoryPool } from '@guardstripe/memory-pool';
import { median } from '../support/measure.ts';
import { duration, printTable } from '../support/table.ts';
import { imageContents, moduleBytes } from '../support/wasm-module.ts';
import { samePages } from './patterns.ts';
import type { TenantThread } from './tenant-thread.ts';
import type { Pattern } from './tenants.ts';
import type { Wasmtime } from './program.ts';
import { forWasmtime, type SharedSettings } from './settings.ts';

export interface PoolRow {
  readonly what: string;
  readonly wasmtime: string;
  readonly pool: string;
}

const ONE_PAGE = moduleBytes(1, imageContents(256));

/**
 * The median over some attempts of making a pool of so many slots. Reservations are small, so that a million bytes times
 * slots fit.
 */
export async function creation(wasmtime: Wasmtime, attempts: number): Promise<readonly PoolRow[]> {
  const rows: PoolRow[] = [];
  for (const totalMemories of [1000, 10_000, 100_000]) {
    const settings: SharedSettings = {
      totalMemories,
      maxMemorySize: 2 ** 20,
      memoryReservation: 2 ** 20,
      memoryGuardSize: 65_536,
      memoryProtectionKeys: 'disable',
    };
    const there: number[] = [];
    const ours: number[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      there.push(await wasmtime.settings({ ...forWasmtime(settings), total_tables: 0 }));
      const start = process.hrtime.bigint();
      const pool = MemoryPool.create(settings);
      ours.push(Number(process.hrtime.bigint() - start));
      pool.close();
    }
    rows.push({
      what: `making a pool of ${totalMemories.toLocaleString('en-US')} slots`,
      wasmtime: duration(median(there)),
      pool: duration(median(ours)),
    });
  }
  return rows;
}

/** Live instances until it fails, and what is said then. */
export async function filling(wasmtime: Wasmtime): Promise<PoolRow> {
  const settings: SharedSettings = {
    totalMemories: 100_000,
    maxMemorySize: 2 ** 20,
    memoryReservation: 2 ** 20,
    memoryGuardSize: 65_536,
    memoryProtectionKeys: 'disable',
  };
  await wasmtime.settings(forWasmtime(settings));
  await wasmtime.module(ONE_PAGE);
  const there = await wasmtime.ask('live 100000');
  using pool = MemoryPool.create(settings);
  using module = describeModule(ONE_PAGE);
  const store = pool.openStore();
  let said = '';
  try {
    for (let n = 0; n < 100_000; n++) store.allocate({ module });
  } catch (error) {
    said = ` ${(error as Error).message}`;
  }
  return {
    what: 'live memories of 100,000 with an image, then',
    wasmtime: there,
    pool: `${store.liveMemories}${said}`,
  };
}

/** Tenants a second in one pool that so many workers share, each with the same module. */
async function sharedPerSecond(
  threads: number,
  iterations: number,
  pattern: Pattern,
  settings: SharedSettings,
): Promise<number> {
  using pool = MemoryPool.create({ ...settings, shared: true });
  using module = describeModule(pattern.modules[0]!);
  const data: TenantThread = {
    pool: pool.share(),
    module: module.handle,
    writes: pattern.tenants[0]!.writes,
    memoryBytes: pattern.memoryBytes,
    iterations,
  };
  const file = new URL('tenant-thread.ts', import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(file, { workerData: data }));
  const all = (event: string) => Promise.all(workers.map((worker) => once(worker, event)));
  await all('message');
  const done = all('message');
  const start = process.hrtime.bigint();
  for (const worker of workers) worker.postMessage('go');
  await done;
  const ns = Number(process.hrtime.bigint() - start);
  const gone = all('exit');
  for (const worker of workers) worker.postMessage('end');
  await gone;
  return (threads * iterations * 1e9) / ns;
}

/** Tenants a second on one thread and on two, each with the same module. */
export async function onThreads(wasmtime: Wasmtime, iterations: number): Promise<readonly PoolRow[]> {
  const pattern = samePages(4);
  const settings: SharedSettings = {
    totalMemories: 256,
    maxMemorySize: pattern.memoryBytes,
    linearMemoryKeepResident: pattern.memoryBytes,
    pagemapScan: 'auto',
    memoryProtectionKeys: 'disable',
  };
  await wasmtime.settings(forWasmtime(settings));
  await wasmtime.module(pattern.modules[0] as Uint8Array);
  const words = `m0 ${pattern.tenants[0]?.writes.map((page) => `w${page}`).join(' ')}`;
  const perSecond = async (threads: number): Promise<number> => {
    const ns = Number(await wasmtime.ask(`threads ${threads} ${iterations} ${words}`));
    return (threads * iterations * 1e9) / ns;
  };
  await perSecond(2);
  const [one, two] = [await perSecond(1), await perSecond(2)];
  const ours = (threads: number) => sharedPerSecond(threads, iterations, pattern, settings);
  await ours(2);
  const [ourOne, ourTwo] = [await ours(1), await ours(2)];
  const inWords = (twoThreads: number, oneThread: number) =>
    `${Math.round(twoThreads).toLocaleString('en-US')}, ${(twoThreads / oneThread).toFixed(2)} times`;
  return [
    {
      what: 'tenants a second on two threads, times one thread',
      wasmtime: inWords(two, one),
      pool: inWords(ourTwo, ourOne),
    },
  ];
}

export function printPools(title: string, rows: readonly PoolRow[]): void {
  printTable(
    title,
    ['', 'Wasmtime', 'pool'],
    rows.map((row) => [row.what, row.wasmtime, row.pool]),
  );
}
