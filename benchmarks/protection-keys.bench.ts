/**
 * What protection keys buy, and what switching costs.
 *
 *     node protection-keys.bench.ts [--json FILE] [--quick]
 *
 * The first part needs no keys: it lays slabs out and reserves them. The second does, and is left out where there are none;
 * `node tools/mpk-machine/main.ts --run benchmarks/protection-keys.bench.ts -- --quick` runs it in an emulated machine, where only the ratios
 * mean anything. Build the packages first: it is `dist` that is measured.
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

const switched = isSupported()
  ? await switching(args.quick ? { rounds: 5, turnMs: 100 } : { rounds: 21, turnMs: 100 })
  : undefined;
if (switched === undefined) console.log(`\nSwitching was not measured: ${supportReason()}`);
else printSwitching(switched);

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
