/**
 * Restoring a memory that V8 owns: every page of it read once, other pages written each time. Only the restores are timed;
 * what the first write to a page costs while it is watched falls to the writer, and is printed beside.
 */
import { snapshot, type SnapshotOptions } from '@guardstripe/snapshot';

import type { CProgram } from '../support/c-program.ts';
import {
  measure,
  median,
  ratio,
  type Contender,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { PAGE, WASM_PAGE } from '../support/wasm-module.ts';

const CASES: readonly (readonly [mib: number, numPages: number])[] = [
  [1, 4],
  [16, 20],
  [64, 40],
];

export const C_WATCH = 'C: the same system calls';
export const COPY = 'copying all of it';
export const CHECKED = "snapshot: 'written'";
export const UNCHECKED = "snapshot: 'written', callsAtRest";
export const LAID = "snapshot: 'laid'";

/** One size of memory. */
export interface RestoredSize {
  readonly mib: number;
  readonly numPages: number;
  readonly measurements: readonly Measurement[];
  /** What the writes before a restore took on average, in nanoseconds, by contender: watched or dropped pages are slow to write first. */
  readonly writesNs: Readonly<Record<string, number>>;
}

/** Numerical Recipes' generator, the same as the C program's. */
function randomPages(numPages: number): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % numPages;
  };
}

function memoryOf(mib: number): Uint8Array & { readonly memory: WebAssembly.Memory } {
  const pages = (mib * 2 ** 20) / WASM_PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  for (let i = 0; i < bytes.length / 2; i++) bytes[i] = i * 31 + 7;
  return Object.assign(bytes, { memory });
}

/** Reads one byte of each page, so that the page tables are full. */
function readAll(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += PAGE) sum += bytes[at] ?? 0;
  return sum;
}

interface TimedContender extends Contender {
  /** Of all iterations so far. */
  readonly meanWritesNs: () => number;
}

function timed(name: string, bytes: Uint8Array, numPages: number, restore: () => void): TimedContender {
  const next = randomPages(bytes.length / PAGE);
  let total = 0n;
  let done = 0;
  return {
    name,
    meanWritesNs: () => Number(total) / done,
    async time(iterations) {
      let taken = 0n;
      for (let i = 0; i < iterations; i++) {
        const begin = process.hrtime.bigint();
        for (let p = 0; p < numPages; p++) bytes[next() * PAGE] = i;
        const start = process.hrtime.bigint();
        restore();
        taken += process.hrtime.bigint() - start;
        total += start - begin;
      }
      done += iterations;
      return Number(taken);
    },
  };
}

function ours(
  name: string,
  mib: number,
  numPages: number,
  options: SnapshotOptions,
): TimedContender & Disposable {
  const bytes = memoryOf(mib);
  const state = snapshot(bytes.memory, options);
  readAll(bytes);
  const contender = timed(name, bytes, numPages, () => state.restore());
  return { ...contender, [Symbol.dispose]: () => state.close() };
}

function copying(mib: number, numPages: number): TimedContender {
  const bytes = memoryOf(mib);
  const saved = bytes.slice();
  readAll(bytes);
  return timed(COPY, bytes, numPages, () => bytes.set(saved));
}

export async function restoreSizes(
  c: CProgram | undefined,
  options: MeasureOptions,
): Promise<readonly RestoredSize[]> {
  const sizes: RestoredSize[] = [];
  for (const [mib, numPages] of CASES) {
    const started = c?.start(mib * 2 ** 20);
    using checked = ours(CHECKED, mib, numPages, {});
    using unchecked = ours(UNCHECKED, mib, numPages, { callsAtRest: true });
    using laid = ours(LAID, mib, numPages, { method: 'laid' });
    const timedOnes = [unchecked, checked, laid, copying(mib, numPages)];
    const contenders: Contender[] = [...timedOnes];
    if (started !== undefined)
      contenders.unshift({
        name: C_WATCH,
        time: (iterations) => started.run('watch', iterations, [numPages]),
      });
    const measurements = await measure(contenders, options);
    const writesNs = Object.fromEntries(timedOnes.map((each) => [each.name, each.meanWritesNs()]));
    sizes.push({ mib, numPages, measurements, writesNs });
    started?.end();
  }
  return sizes;
}

export function printSizes(sizes: readonly RestoredSize[]): void {
  for (const { mib, numPages, measurements, writesNs } of sizes) {
    const reference = measurements[0];
    printTable(
      `Restoring ${mib} MiB, all read before, ${numPages} other pages written each time; the writes are not in it`,
      ['', 'median', 'best', `as against "${reference?.name}"`, 'the writes'],
      measurements.map((each) => [
        each.name,
        duration(each.medianNs),
        duration(each.bestNs),
        reference === undefined ? '' : times(ratio(each, reference)),
        each.name in writesNs ? duration(writesNs[each.name] ?? Number.NaN) : '',
      ]),
    );
  }
}

/** The course of many restores of one memory. */
export interface Flatness {
  readonly restores: number;
  /** Median of a restore in each tenth, in nanoseconds. */
  readonly tenthsNs: readonly number[];
}

export function course(restores: number): Flatness {
  const bytes = memoryOf(16);
  using state = snapshot(bytes.memory);
  readAll(bytes);
  const next = randomPages(bytes.length / PAGE);
  const tenthsNs: number[] = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    const taken: number[] = [];
    for (let i = 0; i < restores / 10; i++) {
      for (let p = 0; p < 20; p++) bytes[next() * PAGE] = i;
      const start = process.hrtime.bigint();
      state.restore();
      taken.push(Number(process.hrtime.bigint() - start));
    }
    tenthsNs.push(median(taken));
  }
  return { restores, tenthsNs };
}

export function printCourse({ restores, tenthsNs }: Flatness): void {
  console.log(`\n${restores} restores of 16 MiB, 20 other pages each; medians of each tenth`);
  console.log(tenthsNs.map((ns) => duration(ns)).join('  '));
}
