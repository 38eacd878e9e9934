/**
 * Entering and leaving a stripe, against calls of a C function that does nothing.
 *
 * Where there are no keys, what can be measured is all but the two instructions: the same calls, of the same code without
 * RDPKRU and WRPKRU, which take some twenty cycles each on processors that have them. In an emulated machine every WRPKRU
 * empties QEMU's own tables, so times there say nothing of the hardware's.
 */
import { MemoryPool } from '@guardstripe/memory-pool';
import { Mmap } from '@guardstripe/mmap';
import { allow, isSupported, keys, ProtectionMask, withMask } from '@guardstripe/mpk';
import { createRequire } from 'node:module';
import {
  inProcess,
  measure,
  ratio,
  type Contender,
  type MeasureOptions,
  type Measurement,
} from '../support/measure.ts';
import { printTable } from '../support/table.ts';

export interface Switch {
  readonly name: string;
  /** How many FFI calls it takes the time of; the median over the rounds. */
  readonly inCalls: number;
  readonly medianNs: number;
}

// What mpk's code does in `swap`, the two instructions left out.
const CODE = [
  0x31, 0xc9, 0x31, 0xc0, 0x41, 0x89, 0xc0, 0x21, 0xf7, 0xf7, 0xd6, 0x21, 0xf0, 0x09, 0xf8, 0x31, 0xd2,
];
const CODE_END = [0x44, 0x89, 0xc0, 0xc3];
const CODE_BYTES = 4096;

type Call = (...values: number[]) => number;
interface Koffi {
  load(library: null): { func(prototype: string): Call };
  proto(result: string, parameters: readonly string[]): unknown;
  decode(address: bigint, type: unknown): Call;
}

/** mmap's own: the benchmarks have no FFI. */
const koffi = createRequire(import.meta.resolve('@guardstripe/mmap'))('koffi') as Koffi;

const nothing = (): undefined => undefined;

function repeated(run: () => unknown): (iterations: number) => void {
  return (iterations) => {
    for (let i = 0; i < iterations; i++) run();
  };
}

export async function switching(options: MeasureOptions): Promise<readonly Switch[]> {
  const abs = koffi.load(null).func('int abs(int value)');
  const reference = inProcess(
    'one FFI call',
    repeated(() => abs(-1)),
  );
  const contenders = [reference, ...(process.arch === 'x64' ? withoutInstructions() : [])];
  if (!isSupported()) return inCalls(await measure(contenders, options));
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
  using store = pool.openStore();
  contenders.push(
    inProcess(
      'allow',
      repeated(() => allow(one)),
    ),
    inProcess(
      'withMask, in and out',
      repeated(() => withMask(one, nothing)),
    ),
    inProcess(
      'store.enter, in and out',
      repeated(() => store.enter(nothing)),
    ),
  );
  const measured = await measure(contenders, options);
  allow(ProtectionMask.all);
  return inCalls(measured);
}

/** `allow` and `withMask` as mpk has them, but for the instructions themselves. */
function withoutInstructions(): Contender[] {
  const page = Mmap.anonymous(CODE_BYTES);
  const view = page.view();
  new Uint8Array(view).set([...CODE, ...CODE_END]);
  page.detachView(view);
  page.protect(0, CODE_BYTES, 'read-execute');
  const swap = koffi.decode(BigInt(page.address), koffi.proto('uint32_t', ['uint32_t', 'uint32_t']));
  const inAndOut = <T>(fn: () => T): T => {
    const before = swap(0xffff_fff3, 0xfc);
    try {
      return fn();
    } finally {
      swap(before, 0xfc);
    }
  };
  // The closures keep the page: a map that is collected is unmapped.
  return [
    inProcess(
      'allow, but for the instructions',
      repeated(() => (page.closed ? 0 : swap(0xffff_fff3, 0xfc))),
    ),
    inProcess(
      'in and out, but for the instructions',
      repeated(() => (page.closed ? 0 : inAndOut(nothing))),
    ),
  ];
}

function inCalls(measured: readonly Measurement[]): Switch[] {
  const reference = measured[0]!;
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
