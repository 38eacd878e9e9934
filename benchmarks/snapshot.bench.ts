/**
 * The figures of snapshots, each with its reference in the same run.
 *
 *     node snapshot.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fork, printFork } from './snapshot/fork.ts';
import { course, printCourse, printSizes, restoreSizes } from './snapshot/restore.ts';
import { compile } from './support/c-program.ts';
import { describeMachine, printMachine } from './support/machine.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

const machine = describeMachine();
printMachine(machine);
// First, for memory that others have left would count against it.
const forked = fork();
printFork(forked);
const c = compile('snapshot');
const sizes = await restoreSizes(c, args.quick ? { rounds: 1, turnMs: 1 } : { rounds: 21, turnMs: 20 });
c?.remove();
printSizes(sizes);
const flat = course(args.quick ? 2000 : 100_000);
printCourse(flat);
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ when, machine, load, sizes, flat, forked }, undefined, 2)}\n`);
  console.log(`\nWritten to ${args.json}`);
}
