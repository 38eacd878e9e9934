/**
 * How far it is from a public call of the pool to the system call: functions called, and source files to read.
 *
 *     node tools/trace-way/main.ts [--all] [--json]
 *
 * Build the packages first: it is `dist` that runs, and its source maps that say where a function stands. `--all` lists
 * every function, `--json` prints the numbers for a program. A getter and a constructor are calls like any other.
 */
import { parseArgs } from 'node:util';
import { ways } from './ways.ts';

const { values: args } = parseArgs({
  options: { all: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});

const traced = ways();
if (args.json) {
  const numbers = traced.map(({ name, calls, callsToSystem, files }) => {
    return { name, calls, callsToSystem, files: files.length };
  });
  console.log(JSON.stringify(numbers));
} else {
  for (const { name, calls, callsToSystem, files, called } of traced) {
    const before =
      callsToSystem === undefined ? '' : `, ${callsToSystem} of them before the first system call`;
    console.log(`${name}: ${calls} calls in ${files.length} files${before}`);
    if (!args.all) continue;
    for (const file of files) {
      console.log(`  ${file}`);
      for (const { name: what, line, calls: times } of called.filter((one) => one.file === file)) {
        console.log(`    ${String(times).padStart(3)} × ${what === '' ? '(anonymous)' : what}, line ${line}`);
      }
    }
  }
}
