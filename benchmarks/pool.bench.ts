/**
 * The pool's figures, each with its reference in the same run.
 *
 *     node pool.bench.ts [--json FILE] [--quick]
 *
 * Build the packages first (`npx -y pnpm@12 build`): it is `dist` that is measured.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { create, printCreate } from './pool/create.ts';
import { floor, printFloor } from './pool/floor.ts';
import { hold, printHold } from './pool/hold.ts';
import { printRecycle, recycle } from './pool/recycle.ts';
import { printRestore, restore } from './pool/restore.ts';
import { compile } from './support/c-program.ts';
import { describeMachine, printMachine } from './support/machine.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

const machine = describeMachine();
printMachine(machine);
const c = compile();
const options = args.quick ? { rounds: 3, turnMs: 2 } : { rounds: 21, turnMs: 20 };

const recycled = await recycle(c, machine.pagemapScan, options);
printRecycle(recycled);
const restored = await restore(c, machine.pagemapScan, options);
printRestore(restored);
const created = await create(options.rounds);
printCreate(created);
const held = args.quick ? [] : hold();
if (!args.quick) printHold(held);
const floors = await floor(machine.pagemapScan, options);
printFloor(floors);
c?.remove();
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  writeFileSync(
    file,
    `${JSON.stringify({ when, machine, load, recycled, restored, created, held, floors }, undefined, 2)}\n`,
  );
  console.log(`\nWritten to ${args.json}`);
}
