/**
 * Wasmtime itself beside our pool: the same settings, the same tenants, in turns. Needs Rust (`cargo`), and is left out with a
 * word where there is none.
 *
 *     node wasmtime.bench.ts [--json FILE] [--quick]
 *     node wasmtime.bench.ts --rows EXPRESSION    only the rows of fresh memories whose name matches
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, printMachine } from './support/machine.ts';
import { fresh, printFresh } from './wasmtime/fresh.ts';
import { creation, filling, onThreads, printPools } from './wasmtime/pools.ts';
import { buildProgram, Wasmtime, wasmtimeVersion } from './wasmtime/program.ts';
import { crossing, printCrossing, printServing, serving } from './wasmtime/serving.ts';
import { answers, printAnswers } from './wasmtime/stories.ts';

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false }, rows: { type: 'string' } },
});
const executable = buildProgram();
if (executable !== undefined && args.rows !== undefined) {
  const wanted = new RegExp(args.rows);
  using wasmtime = new Wasmtime(executable);
  printFresh(
    await fresh(wasmtime, describeMachine().pagemapScan, { rounds: 41, turnMs: 20 }, (row) =>
      wanted.test(row),
    ),
  );
} else if (executable !== undefined) {
  const machine = describeMachine();
  const version = wasmtimeVersion();
  printMachine(machine);
  console.log(`Wasmtime ${version}`);
  const options = args.quick ? { rounds: 5, turnMs: 5 } : { rounds: 21, turnMs: 20 };
  using wasmtime = new Wasmtime(executable);

  const rows = await fresh(wasmtime, machine.pagemapScan, options);
  printFresh(rows);
  using dropping = new Wasmtime(executable);
  const served = await serving(wasmtime, dropping, options);
  printServing(served);
  const crossed = await crossing(options);
  printCrossing(crossed);
  const pools = [
    ...(await creation(wasmtime, options.rounds)),
    ...(await onThreads(wasmtime, args.quick ? 2000 : 100_000)),
    ...(args.quick ? [] : [await filling(wasmtime)]),
  ];
  printPools('Pools', pools);
  const said = await answers(wasmtime);
  printAnswers(said);
  const load = loadavg().map((average) => Math.round(average * 100) / 100);
  console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

  if (args.json !== undefined) {
    const file = resolve(args.json);
    mkdirSync(dirname(file), { recursive: true });
    const result = {
      when: new Date().toISOString(),
      machine,
      wasmtime: version,
      load,
      freshClock: 'CPU time',
      servedClock: 'CPU time',
      fresh: rows,
      served,
      crossed,
      pools,
      said,
    };
    writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
    console.log(`\nWritten to ${args.json}`);
  }
}
