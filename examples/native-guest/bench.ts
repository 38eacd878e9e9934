/**
 * A fresh instance for each request: guests in the pool against `WebAssembly.Instance`, the same modules, the same work.
 *
 *     node bench.ts [--json FILE] [--quick]
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { contenders } from './bench/contenders.ts';
import type { Live } from './bench/live.ts';
import { measure, type Served } from './bench/measure.ts';
import { works } from './bench/works.ts';

const { values: options } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const rounds = options.quick ? { rounds: 2, turnMs: 4 } : { rounds: 20, turnMs: 50 };
const NUM_LIVE = options.quick ? 300 : 10_000;

const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores; Linux ${release()}; Node ${process.version}, V8 ${process.versions.v8}`;
console.log(`${machine}\n`);

const served: { work: string; figures: readonly Served[] }[] = [];
for (const work of await works()) {
  const all = contenders(work);
  const figures = await measure(all, rounds);
  for (const contender of all) contender[Symbol.dispose]();
  served.push({ work: work.name, figures });
  console.log(work.name);
  for (const { name, perSecond, timesV8, p50Us, p99Us } of figures) {
    const times = name === 'V8' ? '' : `  ${timesV8.toFixed(2)} times V8`;
    console.log(
      `  ${name.padEnd(32)}${String(perSecond).padStart(9)} a second   p50 ${p50Us.toFixed(1).padStart(8)} µs   p99 ${p99Us.toFixed(1).padStart(8)} µs${times}`,
    );
  }
}

console.log(`\n${NUM_LIVE.toLocaleString('en-US')} live instances that served one tiny request each`);
const live: { kind: string; figures: Live | string }[] = [];
for (const kind of ['pool', 'v8']) {
  const script = join(import.meta.dirname, 'bench', 'live.ts');
  const child = spawnSync(process.execPath, ['--expose-gc', script, kind, String(NUM_LIVE)], {
    encoding: 'utf8',
  });
  if (child.status !== 0) {
    const reason =
      child.stderr.split('\n').find((line) => line.includes('Error')) ?? `ended with ${child.status}`;
    live.push({ kind, figures: reason });
    console.log(`  ${kind.padEnd(6)}${reason}`);
    continue;
  }
  const figures = JSON.parse(child.stdout) as Live;
  live.push({ kind, figures });
  const kib = (bytes: number): string => `${(bytes / NUM_LIVE / 1024).toFixed(1)} KiB`;
  console.log(
    `  ${kind.padEnd(6)}${(figures.residentBytes / 2 ** 20).toFixed(0).padStart(6)} MiB resident (${kib(figures.residentBytes)} each), ` +
      `page tables ${kib(figures.pageTableBytes)} each, ${(figures.mappings / NUM_LIVE).toFixed(2)} mappings each, ` +
      `${(figures.virtualBytes / 2 ** 40).toFixed(1)} TiB of addresses; made in ${figures.milliseconds.toFixed(0)} ms`,
  );
}
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average over 1, 5 and 15 minutes: ${load.join(', ')}`);
if (options.json !== undefined) {
  writeFileSync(
    options.json,
    `${JSON.stringify({ when: new Date().toISOString(), machine, load, numLive: NUM_LIVE, served, live }, undefined, 2)}\n`,
  );
}
