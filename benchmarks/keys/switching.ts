/** Entering and leaving a stripe, against calls of a C function that does nothing. */
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { allow, keys, ProtectionMask, withMask } from '@guardstripe/mpk';
import { createRequire } from 'node:module';
import { inProcess, measure, ratio, type MeasureOptions, type Measurement } from '../support/measure.ts';
import { printTable } from '../support/table.ts';

export interface Switch {
  readonly name: string;
  /** How many FFI calls it takes the time of; the median over the rounds. */
  readonly inCalls: number;
  readonly medianNs: number;
}

/** Needs protection keys. */
export async function switching(options: MeasureOptions): Promise<readonly Switch[]> {
  // mmap's own: the benchmarks have no FFI.
  const koffi = createRequire(import.meta.resolve('@guardstripe/mmap'))('koffi') as {
    load: (library: null) => { func: (prototype: string) => (value: number) => number };
  };
  const abs = koffi.load(null).func('int abs(int value)');
  using lease = keys(3);
  const [key] = lease.keys;
  if (key === undefined) throw new Error('No key is free');
  const one = ProtectionMask.zero.or(key);
  using pool = MemoryPool.create({
    totalMemories: 6,
    maxMemorySize: 65_536,
    memoryReservation: 16 * 65_536,
    memoryGuardSize: 65_536,
    memoryProtectionKeys: 'enable',
  });
  const store = pool.openStore();
  store.allocate({ module: describeMemory({ initial: 1, maximum: 1 }) });
  const nothing = () => undefined;
  const times = (run: () => unknown) => (iterations: number) => {
    for (let i = 0; i < iterations; i++) run();
  };
  const measured = await measure(
    [
      inProcess(
        'one FFI call',
        times(() => abs(-1)),
      ),
      inProcess(
        'allow',
        times(() => allow(one)),
      ),
      inProcess(
        'withMask, in and out',
        times(() => withMask(one, nothing)),
      ),
      inProcess(
        'store.enter, in and out',
        times(() => store.enter(nothing)),
      ),
    ],
    options,
  );
  allow(ProtectionMask.all);
  const reference = measured[0] as Measurement;
  return measured.map((each) => ({
    name: each.name,
    inCalls: ratio(each, reference),
    medianNs: each.medianNs,
  }));
}

export function printSwitching(switches: readonly Switch[]): void {
  printTable(
    'Switching, in FFI calls',
    ['', 'FFI calls', 'here'],
    switches.map(({ name, inCalls, medianNs }) => [name, inCalls.toFixed(2), `${medianNs.toFixed(0)} ns`]),
  );
}
