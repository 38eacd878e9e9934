/**
 * What the ways to a memory's bytes cost: copies, safe and unsafe views, and a server that answers from them.
 *
 *     node views.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, printMachine } from './support/machine.ts';
import { printViews, views } from './views/tenancies.ts';
import { printServers, servers } from './views/server.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const machine = describeMachine();
printMachine(machine);
const options = args.quick ? { rounds: 5, turnMs: 20 } : { rounds: 15, turnMs: 60 };

const tenancies = await views(options);
printViews(tenancies);
const served = await servers(options);
printServers(served);
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ when, machine, load, tenancies, served }, undefined, 2)}\n`);
  console.log(`\nWritten to ${args.json}`);
}
