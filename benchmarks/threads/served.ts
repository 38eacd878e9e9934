/** The server of `examples/workers` under load, with memories from one pool, from a pool a worker, and from V8. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median } from '../support/measure.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'examples', 'workers', 'main.ts');

/** As the example names them. */
const MODES = ['shared', 'pool-each', 'instances'] as const;
type Mode = (typeof MODES)[number];

/** What the example reports, as far as it is used here. */
interface Run {
  readonly perSecond: number;
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly reused: number;
  readonly residentMiB: number;
  readonly wrong: number;
}

/** The medians of a mode's runs. */
export interface Served extends Run {
  readonly mode: Mode;
  /** Requests a second in times of the shared pool's, the median over the rounds. */
  readonly timesShared: number;
}

export interface ServedOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
  readonly slots: number;
  readonly clients: number;
}

/** Each mode once in every round, in a process of its own. */
export function measureServed({ rounds, ...load }: ServedOptions): readonly Served[] {
  const all = Array.from({ length: rounds }, (_, round) => {
    const order = MODES.map((_, turn) => MODES[(turn + round) % MODES.length]!);
    return new Map(order.map((mode) => [mode, run(mode, load)]));
  });
  return MODES.map((mode) => {
    const of = (field: keyof Run) => median(all.map((modes) => modes.get(mode)![field]));
    return {
      mode,
      timesShared: median(all.map((modes) => modes.get(mode)!.perSecond / modes.get('shared')!.perSecond)),
      perSecond: of('perSecond'),
      medianMs: of('medianMs'),
      slowestMs: of('slowestMs'),
      reused: of('reused'),
      residentMiB: of('residentMiB'),
      wrong: of('wrong'),
    };
  });
}

function run(mode: Mode, { seconds, workers, slots, clients }: Omit<ServedOptions, 'rounds'>): Run {
  const numbers = Object.entries({ seconds, workers, slots, clients, kills: 0 });
  const args = numbers.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, '--mode', mode, ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${mode}: ${stderr}`);
  const result = JSON.parse(stdout) as Run;
  if (result.wrong > 0) throw new Error(`${mode}: ${result.wrong} answers were wrong`);
  return result;
}
