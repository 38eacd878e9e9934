/**
 * A fresh instance of the same `.wasm` for each request: Wasmtime, ours natively compiled, V8. Needs what compiles native
 * guests.
 */
import { contenders } from '../../examples/native-guest/bench/contenders.ts';
import { CALLS, crossings } from '../../examples/native-guest/bench/crossing.ts';
import { works } from '../../examples/native-guest/bench/works.ts';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inProcess, measure, ratio, type Contender, type MeasureOptions } from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import type { Wasmtime } from './program.ts';
import { forWasmtime } from './settings.ts';

/** By the beginning of the names in `works`; the others have no counterpart in the Rust program. */
const IN_RUST: Readonly<Record<string, string>> = {
  'tiny:': 'tiny',
  'small: SHA-256': 'sha256-1024',
  'medium: SHA-256': 'sha256-65536',
  'larger, growing: Argon2': 'argon2',
  'chatty:': 'chatty',
};

export interface ServingRow {
  readonly work: string;
  readonly wasmtimeNs: number;
  /** Each of ours: its name, its time and how many times as long as Wasmtime it takes. */
  readonly others: readonly { readonly name: string; readonly ns: number; readonly ratio: number }[];
}

export async function serving(wasmtime: Wasmtime, options: MeasureOptions): Promise<readonly ServingRow[]> {
  const rows: ServingRow[] = [];
  // As `works` makes it: then all must answer the same.
  const blocks = wasmtime.file(createHash('shake128', { outputLength: 2048 }).update('guardstripe').digest());
  for (const work of await works()) {
    const inRust = Object.entries(IN_RUST).find(([start]) => work.name.startsWith(start))?.[1];
    if (inRust === undefined) continue;
    await wasmtime.settings(
      forWasmtime({ totalMemories: 100, linearMemoryKeepResident: 2 ** 24, pagemapScan: 'auto' }),
    );
    await wasmtime.module(readFileSync(work.guest.wasm));
    const ours = contenders(work);
    const expected = String(ours[0]?.serve());
    const there: Contender = {
      name: 'Wasmtime',
      time: async (iterations) => {
        const [ns = '', answer] = (await wasmtime.ask(`serve ${inRust} ${iterations} ${blocks}`)).split(' ');
        if (answer !== expected) throw new Error(`${work.name}: ${answer} instead of ${expected}`);
        return Number(ns);
      },
    };
    const all = [
      there,
      ...ours.map((contender) =>
        inProcess(contender.name, (iterations) => {
          for (let i = 0; i < iterations; i++) contender.serve();
        }),
      ),
    ];
    const [reference, ...measured] = await measure(all, options);
    for (const contender of ours) contender[Symbol.dispose]();
    if (reference === undefined) throw new Error('no measurement of Wasmtime');
    rows.push({
      work: work.name,
      wasmtimeNs: reference.medianNs,
      others: measured.map((one) => ({ name: one.name, ns: one.medianNs, ratio: ratio(one, reference) })),
    });
  }
  return rows;
}

export function printServing(rows: readonly ServingRow[]): void {
  const names = rows[0]?.others.map(({ name }) => name) ?? [];
  printTable(
    'A fresh instance for each request (in brackets: times as long as Wasmtime)',
    ['request', 'Wasmtime', ...names],
    rows.map(({ work, wasmtimeNs, others }) => [
      work,
      duration(wasmtimeNs),
      ...others.map(({ ns, ratio }) => `${duration(ns)} (${times(ratio)})`),
    ]),
  );
}

/** One call of an imported function, in nanoseconds. */
export interface CrossingRow {
  readonly to: string;
  readonly ns: number;
}

/** What bounds guests that call back often. */
export async function crossing(options: MeasureOptions): Promise<readonly CrossingRow[]> {
  using all = crossings();
  const measured = await measure(
    all.ways.map(({ name, run }) =>
      inProcess(name, (iterations) => {
        for (let i = 0; i < iterations; i++) run();
      }),
    ),
    options,
  );
  return measured.map(({ name, medianNs }) => ({ to: name, ns: medianNs / CALLS }));
}

export function printCrossing(rows: readonly CrossingRow[]): void {
  printTable(
    'One call of an imported function with ten numbers',
    ['calls', ''],
    rows.map(({ to, ns }) => [to, `${ns.toPrecision(3)} ns`]),
  );
}
