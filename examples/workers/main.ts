/**
 * The load run: each request in a fresh memory, from one pool for all workers, from a pool a worker, and from
 * `new WebAssembly.Instance`; each way in a process of its own. `--seconds 3 --clients 16 --workers 4 --kills 6`
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runLoad, type LoadResult } from './src/load.ts';
import { MODES, type Mode } from './src/messages.ts';
import { WorkerServer } from './src/server.ts';

const NAMES: Readonly<Record<Mode, string>> = {
  shared: 'one pool for all workers',
  'pool-each': 'a pool a worker',
  instances: 'new WebAssembly.Instance',
};

const { values } = parseArgs({
  options: {
    mode: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '16' },
    workers: { type: 'string', default: '4' },
    slots: { type: 'string', default: '64' },
    kills: { type: 'string', default: '6' },
  },
});

interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly reused: number;
  readonly residentMiB: number;
  readonly died: number;
  readonly lost: number;
  readonly wrong: number;
}

/** An option's number, from `least` on. */
function numberOf(name: 'seconds' | 'clients' | 'workers' | 'slots' | 'kills', least: number): number {
  const value = Number(values[name]);
  if (!(value >= least))
    throw new RangeError(`--${name} must be a number from ${least} on, received "${values[name]}"`);
  return value;
}

const workers = numberOf('workers', 1);
const totalSlots = numberOf('slots', 1);
const { kills, ...load } = {
  seconds: numberOf('seconds', 0.1),
  clients: numberOf('clients', 1),
  kills: numberOf('kills', 0),
};

async function measure(mode: Mode): Promise<Row> {
  const server = await WorkerServer.start({ mode, workers, totalSlots, timeLimitMs: 1000 });
  // What is measured has no deaths in it; then come some, and are told.
  const calm = await runLoad(server, { ...load, kills: 0 });
  const residentMiB = process.memoryUsage.rss() / 2 ** 20;
  const reused = server.reused / calm.requests;
  const deadly = kills > 0 ? await runLoad(server, { ...load, kills }) : { lost: 0, wrong: 0 };
  const { died } = server;
  await server.close();
  return {
    name: NAMES[mode],
    ...figuresOf(calm),
    reused,
    residentMiB,
    died,
    lost: deadly.lost,
    wrong: calm.wrong + deadly.wrong,
  };
}

function figuresOf({ requests, seconds, latenciesMs }: LoadResult) {
  const at = (part: number) => latenciesMs[Math.floor(latenciesMs.length * part)] ?? Number.NaN;
  return { perSecond: requests / seconds, medianMs: at(0.5), slowestMs: at(0.99) };
}

function show(rows: readonly Row[]): void {
  console.table(
    Object.fromEntries(
      rows.map(({ name, perSecond, medianMs, slowestMs, reused, residentMiB, died, lost, wrong }) => [
        name,
        {
          'requests/s': Math.round(perSecond),
          'median ms': medianMs.toFixed(2),
          '99 % ms': slowestMs.toFixed(2),
          'own slot again': `${Math.round(100 * reused)} %`,
          'resident MiB': Math.round(residentMiB),
          'workers killed': died,
          'requests lost': lost,
          'wrong answers': wrong,
        },
      ]),
    ),
  );
}

if (values.mode !== undefined) console.log(JSON.stringify(await measure(values.mode as Mode)));
else {
  console.log('Each request in a fresh memory of 1 MiB that begins with 256 KiB of its tenant; 8 tenants.');
  const rows = MODES.map((mode): Row => {
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--mode', mode];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${mode}: ${stderr}`);
    return JSON.parse(stdout) as Row;
  });
  show(rows);
  if (rows.some(({ wrong }) => wrong > 0)) process.exitCode = 1;
}
