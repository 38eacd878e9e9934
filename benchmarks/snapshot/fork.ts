/** Forks: other instances of a module given a warm state of 16 MiB, half of it not zero, beside copying that state into each. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { snapshot } from '@guardstripe/snapshot';

import { median } from '../support/measure.ts';
import { duration, printTable } from '../support/table.ts';
import { imageContents, moduleBytes, PAGE, toolchainModuleBytes } from '../support/wasm-module.ts';

const MIB = 16;
const NUM_FORKS = 200;
/** Pages that each fork writes afterwards, as a short run of a program does. */
const NUM_WRITTEN = 20;

export interface ForkFigures {
  /** Nanoseconds, medians. */
  readonly instantiateNs: number;
  readonly forkNs: number;
  readonly copyNs: number;
  /** Bytes an instance that nobody shares, written pages included. */
  readonly forkBytes: number;
  readonly copyBytes: number;
  /** The same of a module as toolchains make them: many exports, and a table of functions. */
  readonly toolchain: {
    readonly instantiateNs: number;
    readonly forkNs: number;
    readonly tablesAsMadeNs: number;
  };
}

/** As SQLite and QuickJS have them, compiled by Emscripten. */
const NUM_EXPORTS = 64;
const NUM_ENTRIES = 512;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Without what is garbage already, and would go at any time. */
const anonymousBytes = (): number => {
  collect();
  const text = /^Anonymous:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1];
  return Number(text) * 1024;
};

const bytesOf = (instance: WebAssembly.Instance): Uint8Array =>
  new Uint8Array((instance.exports['memory'] as WebAssembly.Memory).buffer);

interface Series {
  readonly instantiateNs: number;
  readonly layNs: number;
  readonly bytesEach: number;
}

function series(module: WebAssembly.Module, lay: (instance: WebAssembly.Instance) => void): Series {
  const instances: WebAssembly.Instance[] = [];
  const instantiate: number[] = [];
  const layings: number[] = [];
  const before = anonymousBytes();
  for (let i = 0; i < NUM_FORKS; i++) {
    const start = process.hrtime.bigint();
    const instance = new WebAssembly.Instance(module);
    const made = process.hrtime.bigint();
    lay(instance);
    layings.push(Number(process.hrtime.bigint() - made));
    instantiate.push(Number(made - start));
    const bytes = bytesOf(instance);
    for (let p = 0; p < NUM_WRITTEN; p++) bytes[p * 101 * PAGE] = i;
    instances.push(instance);
  }
  const bytesEach = (anonymousBytes() - before) / NUM_FORKS;
  if (instances.length !== NUM_FORKS) throw new Error('Instances were lost');
  return { instantiateNs: median(instantiate), layNs: median(layings), bytesEach };
}

export function fork(): ForkFigures {
  const module = new WebAssembly.Module(moduleBytes((MIB * 2 ** 20) / 65_536, Uint8Array.of(1)));
  const warm = new WebAssembly.Instance(module);
  bytesOf(warm).set(imageContents((MIB / 2) * 2 ** 20));
  const saved = bytesOf(warm).slice();
  using state = snapshot(warm);
  state.restoreInto(new WebAssembly.Instance(module));
  const forked = series(module, (instance) => state.restoreInto(instance));
  const copied = series(module, (instance) => bytesOf(instance).set(saved));
  return {
    instantiateNs: forked.instantiateNs,
    forkNs: forked.layNs,
    copyNs: copied.layNs,
    forkBytes: forked.bytesEach,
    copyBytes: copied.bytesEach,
    toolchain: toolchain(),
  };
}

function toolchain(): ForkFigures['toolchain'] {
  const bytes = toolchainModuleBytes((MIB * 2 ** 20) / 65_536, NUM_EXPORTS, NUM_ENTRIES);
  const module = new WebAssembly.Module(bytes);
  const warm = new WebAssembly.Instance(module);
  bytesOf(warm).set(imageContents((MIB / 2) * 2 ** 20));
  using state = snapshot(warm);
  const forked = series(module, (instance) => state.restoreInto(instance));
  const asMade = series(module, (instance) => state.restoreInto(instance, { tablesAsMade: true }));
  return {
    instantiateNs: asMade.instantiateNs,
    forkNs: forked.layNs,
    tablesAsMadeNs: asMade.layNs,
  };
}

export function printFork(figures: ForkFigures): void {
  const { instantiateNs, forkNs, copyNs, forkBytes, copyBytes, toolchain } = figures;
  const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
  printTable(
    `${NUM_FORKS} instances given a warm state of ${MIB} MiB; each writes ${NUM_WRITTEN} pages`,
    ['', 'beyond instantiation', 'private memory each'],
    [
      ['restoreInto: copy-on-write', duration(forkNs), kib(forkBytes)],
      ['copying it in', duration(copyNs), kib(copyBytes)],
    ],
  );
  console.log(`Instantiation: ${duration(instantiateNs)}`);
  console.log(
    `With ${NUM_EXPORTS} exports and a table of ${NUM_ENTRIES} functions: ${duration(toolchain.forkNs)} beyond instantiation, ` +
      `${duration(toolchain.tablesAsMadeNs)} with tablesAsMade (instantiation: ${duration(toolchain.instantiateNs)})`,
  );
}
