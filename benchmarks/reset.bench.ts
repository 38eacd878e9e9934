/**
 * Resets: each fixed strategy beside the automatic choice over many patterns of use, and what comes of it in pools with the default
 * settings.
 *
 *     node reset.bench.ts [--json FILE] [--quick]
 *
 * Times are CPU time of the process that does the work, so that a busy machine does not show.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { inPools, printPools } from './reset/pools.ts';
import { compareStrategies, printStrategies } from './reset/strategies.ts';
import { compile } from './support/c-program.ts';
import { describeMachine, printMachine } from './support/machine.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

const machine = describeMachine();
printMachine(machine);
const c = compile();
const options = args.quick
  ? { rounds: 1, turnMs: 1, settlingUsers: 1, mostPages: 1024 }
  : { rounds: 9, turnMs: 20, settlingUsers: 100, mostPages: Infinity };

const strategies = await compareStrategies(c, options);
printStrategies(strategies);
const pools = await inPools(c, options);
printPools(pools);
c?.remove();
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ when, machine, load, strategies, pools }, undefined, 2)}\n`);
  console.log(`\nWritten to ${args.json}`);
}
