/** A fresh memory, some pages touched, given back: both pools, the same settings, in turns, by the CPU time of either process. */
import { measure, median, ratio, type MeasureOptions } from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { patterns, samePages } from './patterns.ts';
import type { Wasmtime } from './program.ts';
import type { SharedSettings } from './settings.ts';
import { poolGuest, wasmtimeGuest, type Pattern } from './tenants.ts';

const MIB = 2 ** 20;

/** One row: a pattern under one choice of settings. */
export interface FreshRow {
  readonly pattern: string;
  readonly settings: SharedSettings;
  readonly wasmtimeNs: number;
  readonly poolNs: number;
  /** How many times as long as Wasmtime ours takes. */
  readonly ratio: number;
}

const WAYS: readonly { readonly name: string; readonly settings: (memoryBytes: number) => SharedSettings }[] =
  [
    { name: 'pages dropped', settings: () => ({ linearMemoryKeepResident: 0 }) },
    {
      name: 'kept, without a scan',
      settings: (bytes) => ({ linearMemoryKeepResident: Math.min(bytes, MIB), pagemapScan: 'disable' }),
    },
    {
      name: 'kept, PAGEMAP_SCAN',
      settings: (bytes) => ({ linearMemoryKeepResident: Math.min(bytes, MIB), pagemapScan: 'enable' }),
    },
  ];

export async function fresh(
  wasmtime: Wasmtime,
  scan: boolean,
  options: MeasureOptions,
  isWanted: (row: string) => boolean = () => true,
): Promise<readonly FreshRow[]> {
  const rows: FreshRow[] = [];
  const ways = scan ? WAYS : WAYS.slice(0, -1);
  // For nothing: the first row would pay for V8's compiler, and find its number of iterations before that.
  for (const { settings } of ways)
    await compare(wasmtime, samePages(4), settings(MIB), { rounds: 10, turnMs: 2 * options.turnMs });
  for (const pattern of [...[0, 1, 4, 16, 64].map(samePages), ...patterns()]) {
    for (const { name, settings } of ways) {
      if (isWanted(`${pattern.name}: ${name}`))
        rows.push(await compare(wasmtime, pattern, settings(pattern.memoryBytes), options));
    }
  }
  return rows;
}

async function compare(
  wasmtime: Wasmtime,
  pattern: Pattern,
  own: SharedSettings,
  options: MeasureOptions,
): Promise<FreshRow> {
  const settings: SharedSettings = {
    totalMemories: 16,
    maxMemorySize: pattern.memoryBytes,
    memoryProtectionKeys: 'disable',
    pagemapScan: 'disable',
    ...own,
  };
  const guests = [await wasmtimeGuest(wasmtime, pattern, settings), poolGuest(pattern, settings)];
  try {
    const [there, ours] = await measure(
      guests.map(({ contender }) => contender),
      options,
    );
    if (there === undefined || ours === undefined) throw new Error('two contenders, two measurements');
    return {
      pattern: pattern.name,
      settings,
      wasmtimeNs: median(there.roundsNs),
      poolNs: median(ours.roundsNs),
      ratio: ratio(ours, there),
    };
  } finally {
    for (const { end } of guests) end();
  }
}

export function printFresh(rows: readonly FreshRow[]): void {
  const wayOf = ({ linearMemoryKeepResident, pagemapScan }: SharedSettings): string =>
    linearMemoryKeepResident === 0 ? 'dropped' : pagemapScan === 'enable' ? 'scan' : 'written back';
  printTable(
    'A tenant: store, fresh memory, some pages touched, given back',
    ['pattern', 'pages are', 'Wasmtime', 'pool', 'pool / Wasmtime'],
    rows.map((row) => [
      row.pattern,
      wayOf(row.settings),
      duration(row.wasmtimeNs),
      duration(row.poolNs),
      times(row.ratio),
    ]),
  );
}
