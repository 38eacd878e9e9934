/**
 * Holds many live memories of 4 GiB reservation at once, in pools of fifteen stripes, each with a page of its own written and
 * read back. Not in CI: it takes minutes, and some 10 GiB of memory.
 *
 *     node tools/mpk-machine/main.ts --run benchmarks/many-memories.bench.ts --memory 12288 --time-limit 3600 \
 *       --sysctl vm.max_map_count=4000000 -- --memories 440000
 *
 * A slab is one piece of address space. V8 scatters its own pages over the lower 64 TiB of a process's 128, so one slab is at
 * most about 63 TiB, and what is wanted is divided among as many processes as need be, all alive at the same time.
 */
import { host } from '@guardstripe/mmap';
import { isSupported, supportReason } from '@guardstripe/mpk';
import { mkdirSync, writeFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { holdMany, type Many } from './keys/many.ts';
import { describeMachine, printMachine } from './support/machine.ts';
import { printTable } from './support/table.ts';

const GIB = 2 ** 30;
/** Slots that one slab of less than 63 TiB holds, at 4 GiB and a guard of 64 KiB shared by fifteen. */
const MOST_PER_PROCESS = 220_000;

const { values: args } = parseArgs({
  options: { memories: { type: 'string', default: '440000' }, json: { type: 'string' } },
});
const wanted = Number(args.memories);
const machine = describeMachine();
printMachine(machine);
if (!isSupported()) throw new Error(`Memories in stripes need protection keys: ${supportReason()}`);
const mappingsNeeded = 2 * Math.min(wanted, MOST_PER_PROCESS) + 10_000;
if ((host().maxMapCount ?? Infinity) < mappingsNeeded) {
  throw new Error(`vm.max_map_count must be at least ${mappingsNeeded}, and is ${host().maxMapCount}`);
}

const numProcesses = Math.ceil(wanted / MOST_PER_PROCESS);
const perProcess = Math.ceil(wanted / numProcesses);
const free = freemem();
const held = await holdMany(numProcesses, perProcess);
const total = held.reduce((sum, { verified }) => sum + verified, 0);
const usedBytes = free - Math.min(...held.map(({ freeBytes }) => freeBytes));
print(held, total, usedBytes);
save({ when: new Date().toISOString(), machine, wanted, total, usedBytes, processes: held });
if (total < wanted) throw new Error(`Only ${total} of ${wanted} memories were held`);

function print(processes: readonly Many[], sum: number, used: number): void {
  printTable(
    `Live at once, of ${(totalmem() / GIB).toFixed(1)} GiB of memory`,
    ['process', 'memories', 'stripes', 'slab', 'mappings', 'resident', 'took'],
    processes.map((each, i) => [
      String(i + 1),
      each.verified.toLocaleString('en'),
      String(each.numStripes),
      `${(each.slabBytes / 2 ** 40).toFixed(1)} TiB`,
      each.mappings.toLocaleString('en'),
      `${(each.residentBytes / GIB).toFixed(2)} GiB`,
      `${each.seconds.toFixed(0)} s`,
    ]),
  );
  console.log(
    `\n${sum.toLocaleString('en')} memories with a reservation of 4 GiB each, every one written to and verified, ` +
      `in ${(used / GIB).toFixed(2)} GiB: ${(used / sum / 1024).toFixed(1)} KiB each`,
  );
}

function save(result: object): void {
  const folder = process.env['GUARDSTRIPE_OUT'];
  const out = args.json ?? (folder === undefined ? undefined : `${folder}/many-memories.json`);
  if (out === undefined) return;
  const file = resolve(out);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`Written to ${out}`);
}
