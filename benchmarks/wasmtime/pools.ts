/** Pools as a whole: making them, filling them, sharing them between threads, and modules that come and go. */
import { describeModule, MemoryPool } from '@guardstripe/memory-pool';
import { median } from '../support/measure.ts';
import { duration, printTable } from '../support/table.ts';
import { imageContents, moduleBytes } from '../support/wasm-module.ts';
import { samePages } from './patterns.ts';
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

/** Tenants a second on one thread and on two, each with the same module. Ours is one thread's pool. */
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
  return [
    {
      what: 'tenants a second on two threads, times one thread',
      wasmtime: `${Math.round(two).toLocaleString('en-US')}, ${(two / one).toFixed(2)} times`,
      pool: 'not measured here',
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
