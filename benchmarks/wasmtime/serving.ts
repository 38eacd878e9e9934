/**
 * A fresh instance of the same `.wasm` for each request: Wasmtime, ours natively compiled, V8. Needs what compiles native
 * guests.
 */
import { contenders, type ContenderName } from '../../examples/native-guest/bench/contenders.ts';
import { CALLS, crossings } from '../../examples/native-guest/bench/crossing.ts';
import { works } from '../../examples/native-guest/bench/works.ts';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  cpuTimed,
  inProcess,
  measure,
  ratio,
  type Contender,
  type MeasureOptions,
} from '../support/measure.ts';
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

/** Wasmtime that drops pages, as one of ours does. */
const DROPPING = 'Wasmtime, pages dropped';
/** What is compared with that one, and not with the one that writes pages back. */
const DROPS = 'pool, pages dropped' satisfies ContenderName;

export interface ServingRow {
  readonly work: string;
  /** Dirty pages written back. */
  readonly wasmtimeNs: number;
  /**
   * Each other one: its name, its time and how many times as long it takes as Wasmtime with the same settings; V8, and Wasmtime that
   * drops pages, as Wasmtime that writes them back.
   */
  readonly others: readonly { readonly name: string; readonly ns: number; readonly ratio: number }[];
}

/** @param dropping - a second process, for the other settings */
export async function serving(
  wasmtime: Wasmtime,
  dropping: Wasmtime,
  options: MeasureOptions,
): Promise<readonly ServingRow[]> {
  const rows: ServingRow[] = [];
  // As `works` makes it: then all must answer the same.
  const blocks = wasmtime.file(createHash('shake128', { outputLength: 2048 }).update('guardstripe').digest());
  for (const work of await works()) {
    const inRust = Object.entries(IN_RUST).find(([start]) => work.name.startsWith(start))?.[1];
    if (inRust === undefined) continue;
    const ours = contenders(work);
    const expected = String(ours[0]?.serve());
    const there = async (name: string, program: Wasmtime, keptBytes: number): Promise<Contender> => {
      await program.settings(
        forWasmtime({ totalMemories: 100, linearMemoryKeepResident: keptBytes, pagemapScan: 'auto' }),
      );
      await program.module(readFileSync(work.guest.wasm));
      return {
        name,
        time: async (iterations) => {
          const [ns = '', answer] = (await program.ask(`serve ${inRust} ${iterations} ${blocks}`)).split(' ');
          if (answer !== expected) throw new Error(`${work.name}: ${answer} instead of ${expected}`);
          return Number(ns);
        },
      };
    };
    const all = [
      await there('Wasmtime', wasmtime, 2 ** 24),
      await there(DROPPING, dropping, 0),
      ...ours.map((contender) =>
        cpuTimed(contender.name, (iterations) => {
          for (let i = 0; i < iterations; i++) contender.serve();
        }),
      ),
    ];
    const [reference, ...measured] = await measure(all, options);
    const dropped = measured.find(({ name }) => name === DROPPING);
    for (const contender of ours) contender[Symbol.dispose]();
    if (reference === undefined || dropped === undefined) throw new Error('no measurement of Wasmtime');
    rows.push({
      work: work.name,
      wasmtimeNs: reference.medianNs,
      others: measured.map((one) => {
        const { name, medianNs } = one;
        return { name, ns: medianNs, ratio: ratio(one, name === DROPS ? dropped : reference) };
      }),
    });
  }
  return rows;
}

export function printServing(rows: readonly ServingRow[]): void {
  const names = rows[0]?.others.map(({ name }) => name) ?? [];
  printTable(
    'A fresh instance for each request (in brackets: times as long as Wasmtime, which for dropped pages drops them, too)',
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
