/**
 * Restoring a working set of 64 MiB as a JavaScript user does it, with the default settings: `new Uint8Array(memory.buffer)` is written
 * to, and `memory.reset()` puts it back. What it costs goes by which pages a round writes, and by what else was touched; so each is
 * measured, beside copying all of it. Only the restoring is timed, in CPU time.
 *
 *     node restore.bench.ts [--json FILE] [--quick]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { describeMachine, printMachine } from './support/machine.ts';
import { measure, median, ratio, type Contender, type MeasureOptions } from './support/measure.ts';
import { duration, printTable, times } from './support/table.ts';
import { imageContents, PAGE } from './support/wasm-module.ts';

const BYTES = 64 * 2 ** 20;
const NUM_PAGES = BYTES / PAGE;
const NUM_DIRTY = 40;

/** Which pages a round writes, and what it reads besides. */
interface Pattern {
  readonly pages: 'same' | 'other';
  readonly reads: 'nothing' | 'all once' | 'all each time';
}

const PATTERNS: readonly Pattern[] = (['nothing', 'all once', 'all each time'] as const).flatMap((reads) =>
  (['same', 'other'] as const).map((pages) => ({ pages, reads })),
);

const contents = imageContents(BYTES);

/** What a round does to the bytes before they are restored. */
function work(bytes: Uint8Array, { pages, reads }: Pattern, round: number): void {
  if (reads === 'all each time') touch(bytes);
  for (let i = 0; i < NUM_DIRTY; i++) {
    const spread = Math.floor(((i + 0.5) * NUM_PAGES) / NUM_DIRTY);
    const page = pages === 'same' ? spread : (spread + round * 7919) % NUM_PAGES;
    bytes[page * PAGE] = round;
  }
}

let sum = 0;
function touch(bytes: Uint8Array): void {
  for (let page = 0; page < NUM_PAGES; page++) sum += bytes[page * PAGE] ?? 0;
}

/** Times the restoring alone, one round at a time, in CPU time, which a busy machine does not stretch. */
function restoring(name: string, bytes: Uint8Array, pattern: Pattern, restore: () => void): Contender {
  let round = 0;
  return {
    name,
    time(iterations) {
      let ns = 0;
      for (let i = 0; i < iterations; i++) {
        work(bytes, pattern, round++);
        const start = process.cpuUsage();
        restore();
        const { user, system } = process.cpuUsage(start);
        ns += (user + system) * 1000;
      }
      return Promise.resolve(ns);
    },
  };
}

async function run(pattern: Pattern, options: MeasureOptions) {
  using pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: '64MiB' });
  using module = describeMemory({ contents });
  const memory = pool.openStore().allocate({ module });
  const bytes = new Uint8Array(memory.buffer);
  const source = Buffer.from(contents.buffer);
  const target = Buffer.from(contents);
  if (pattern.reads === 'all once') touch(bytes);
  const measurements = await measure(
    [
      restoring('memory.reset()', bytes, pattern, () => memory.reset()),
      restoring('copying all of it', target, pattern, () => source.copy(target)),
    ],
    options,
  );
  if (!source.equals(bytes)) throw new Error('The memory does not hold its start bytes');
  const [ours, copy] = measurements;
  if (ours === undefined || copy === undefined) throw new Error('Nothing was measured');
  return {
    ...pattern,
    resetNs: median(ours.roundsNs),
    copyNs: median(copy.roundsNs),
    copyRatio: ratio(copy, ours),
  };
}

const { values: args } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const machine = describeMachine();
printMachine(machine);
const options = args.quick ? { rounds: 3, turnMs: 5 } : { rounds: 15, turnMs: 20 };
const patterns = [];
for (const pattern of PATTERNS) patterns.push(await run(pattern, options));

printTable(
  `Restoring 64 MiB after ${NUM_DIRTY} pages were written through a view, with the default settings (${sum % 2} read)`,
  ['pages written', 'read', 'memory.reset()', 'copying', 'as long'],
  patterns.map(({ pages, reads, resetNs, copyNs, copyRatio }) => [
    pages,
    reads,
    duration(resetNs),
    duration(copyNs),
    times(copyRatio),
  ]),
);
const load = loadavg().map((average) => Math.round(average * 100) / 100);
console.log(`\nLoad average at the end, over 1, 5 and 15 minutes: ${load.join(', ')}`);

if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ when, machine, load, patterns }, undefined, 2)}\n`);
  console.log(`\nWritten to ${args.json}`);
}
