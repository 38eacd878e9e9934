/**
 * What bounds a recycle: the bare calls, the pool's JavaScript alone, and both of them in one loop. Measured after everything else,
 * for it brings the pool's code another platform, which the compiler would have in mind from then on.
 */
import { describeModule, type PoolModule } from '@guardstripe/memory-pool';
import { addressOf, platform, type PageRuns, type VirtualMemory } from '@guardstripe/mmap';
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
import {
  bareCalls,
  DIRTY_COUNTS,
  dirtyPages,
  IMAGE_BYTES,
  MIB,
  nativeGuest,
  openPool,
  type Guest,
} from './recycle.ts';

type Way = 'drop' | 'scan';

/** One number of dirty pages, one way. */
export interface FloorResult {
  readonly way: Way;
  readonly dirtyPages: number;
  /** The bare calls; the JavaScript; both; the pool; a call through FFI that does nothing. */
  readonly measurements: readonly Measurement[];
  readonly poolToCalls: number;
  readonly poolToBoth: number;
}

export async function floor(scan: boolean, options: MeasureOptions): Promise<readonly FloorResult[]> {
  const data = imageContents(IMAGE_BYTES);
  using module = describeModule(moduleBytes(MIB / WASM_PAGE, data));
  const ways: Way[] = scan ? ['drop', 'scan'] : ['drop'];
  const results: FloorResult[] = [];
  for (const way of ways) {
    for (const count of DIRTY_COUNTS) {
      const pages = dirtyPages(count);
      const idle = idleGuest(way, module, count);
      const guests = [
        bareCalls('bare calls', way, module, data, pages),
        idle,
        bareCalls('both', way, module, data, pages, idle.recycle),
        nativeGuest(way, module, pages),
      ];
      const contenders = [...guests.map(({ contender }) => contender), callOfNothing()];
      const measurements = await measure(contenders, options);
      for (const guest of guests) guest.end();
      const [bare, , both, pool] = measurements as [Measurement, Measurement, Measurement, Measurement];
      results.push({
        way,
        dirtyPages: count,
        measurements,
        poolToCalls: ratio(pool, bare),
        poolToBoth: ratio(pool, both),
      });
    }
  }
  return results;
}

/** Allocating and freeing where system calls do nothing, and a scan finds so many pages. */
function idleGuest(way: Way, module: PoolModule, numDirty: number): Guest & { readonly recycle: () => void } {
  const scanPages = (address: number, byteLength: number, into: PageRuns) => {
    for (let i = 0; i < numDirty; i++) {
      into.starts[i] = address + 2 * i * PAGE;
      into.ends[i] = address + (2 * i + 1) * PAGE;
      into.kinds[i] = 0;
    }
    into.count = numDirty;
    into.walkEnd = address + byteLength;
  };
  const nothing = () => undefined;
  const idle = {
    scanPages,
    decommit: nothing,
    copyBytes: nothing,
    fillZeros: nothing,
    sameBytes: () => false,
  };
  const pool = openPool(way, Object.assign(Object.create(platform()) as VirtualMemory, idle));
  const store = pool.openStore();
  const request = { module };
  const recycle = () => store.allocate(request).free();
  const contender = inProcess("the pool's JavaScript", (iterations) => {
    for (let i = 0; i < iterations; i++) recycle();
  });
  return { contender, recycle, end: () => pool.close() };
}

/** `memcpy` of no bytes: three numbers go over, nothing comes back. */
function callOfNothing(): Contender {
  const system = platform();
  const bytes = new Uint8Array(PAGE);
  return inProcess('a call through FFI', (iterations) => {
    const address = addressOf(bytes);
    for (let i = 0; i < iterations; i++) system.copyBytes(address, address, 0);
  });
}

export function printFloor(results: readonly FloorResult[]): void {
  const names = results[0]?.measurements.map(({ name }) => name) ?? [];
  printTable(
    'What bounds a recycle',
    ['', 'dirty pages', ...names, 'pool / bare calls', 'pool / both'],
    results.map(({ way, dirtyPages: count, measurements, poolToCalls, poolToBoth }) => [
      way,
      String(count),
      ...measurements.map(({ medianNs }) => duration(medianNs)),
      times(poolToCalls),
      times(poolToBoth),
    ]),
  );
}
