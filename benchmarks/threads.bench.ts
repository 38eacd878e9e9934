/**
 * One pool for many threads: the shared allocator beside the private one and two threads beside one, then the server of
 * `examples/workers` with one pool, with a pool a worker, and with `new WebAssembly.Instance`.
 *
 *     node threads.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured. Two threads want two cores of their own; on a machine
 * that does other things as well the ratios say how the load shares its cores out.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, printMachine } from './support/machine.ts';
import { printTable } from './support/table.ts';
import { measureAllocators, measurePools } from './threads/allocator.ts';
import { measureServed } from './threads/served.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const options = args.quick ? { rounds: 3, turnMs: 5 } : { rounds: 21, turnMs: 20 };
const machine = describeMachine();
printMachine(machine);

const compared = [...(await measureAllocators(options)), await measurePools(options)];
printTable(
  'alloc + free, in nanoseconds for each pair: CPU time in one thread, wall time of all pairs in several',
  ['', 'reference', 'ns', 'measured', 'ns', 'times as long'],
  compared.map(({ what, reference, measured, timesReference }) => [
    what,
    reference.name,
    reference.medianNs.toFixed(1),
    measured.name,
    measured.medianNs.toFixed(1),
    timesReference.toFixed(2),
  ]),
);

// Eight tenants: with 16 slots, four workers with a pool each have half as many as there are tenants.
const load = {
  workers: 4,
  slots: 16,
  clients: 16,
  ...(args.quick ? { rounds: 1, seconds: 0.5 } : { rounds: 5, seconds: 2 }),
};
const served = measureServed(load);
printTable(
  `requests, each in a fresh memory of 1 MiB: ${load.workers} workers, ${load.slots} slots, 8 tenants`,
  ['', 'a second', 'times the shared', 'median ms', '99 % ms', 'own slot again', 'resident MiB'],
  served.map(({ mode, perSecond, timesShared, medianMs, slowestMs, reused, residentMiB }) => [
    mode,
    perSecond.toFixed(0),
    timesShared.toFixed(2),
    medianMs.toFixed(2),
    slowestMs.toFixed(2),
    `${Math.round(100 * reused)} %`,
    residentMiB.toFixed(0),
  ]),
);

const loads = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`Load average at the end, over 1, 5 and 15 minutes: ${loads.join(', ')}`);
if (args.json !== undefined) {
  const path = resolve(args.json);
  mkdirSync(dirname(path), { recursive: true });
  const result = {
    when: new Date().toISOString(),
    machine,
    load: loads,
    compared,
    served: { load, modes: served },
  };
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
}
