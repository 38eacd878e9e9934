/**
 * What protection keys buy, and what switching costs.
 *
 *     node protection-keys.bench.ts [--json FILE] [--quick]
 *
 * The first part needs no keys: it lays slabs out and reserves them. The second has the calls that a switch takes, and
 * the switch itself where there are keys; `node tools/mpk-machine/main.ts --run benchmarks/protection-keys.bench.ts` runs
 * it in an emulated machine, whose times say nothing. Build the packages first: it is `dist` that is measured.
 */
import { isSupported, supportReason } from '@guardstripe/mpk';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { addressSpace, printAddressSpace } from './keys/address-space.ts';
import { printSwitching, switching } from './keys/switching.ts';
import { describeMachine, printMachine } from './support/machine.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

const machine = describeMachine();
printMachine(machine);

const space = addressSpace(!args.quick);
printAddressSpace(space);

const switched = await switching(args.quick ? { rounds: 5, turnMs: 20 } : { rounds: 21, turnMs: 20 });
printSwitching(switched);
if (!isSupported()) console.log(`\nSwitching itself was not measured: ${supportReason()}`);

const out = args.json ?? insideTheMachine();
if (out !== undefined) {
  const file = resolve(out);
  mkdirSync(dirname(file), { recursive: true });
  const result = { when: new Date().toISOString(), machine, space, switched };
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`\nWritten to ${out}`);
}

/** The emulated machine takes what is in this folder out with it. */
function insideTheMachine(): string | undefined {
  const folder = process.env['GUARDSTRIPE_OUT'];
  return folder === undefined ? undefined : `${folder}/protection-keys.json`;
}
