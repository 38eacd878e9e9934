/**
 * The load run: untrusted JavaScript over HTTP, in a QuickJS that is restored after each request, and beside it the same server with a
 * fresh runtime for each. `--seconds 5 --clients 4`
 */
import { parseArgs } from 'node:util';

import Table from 'cli-table3';

import { runLoad, type LoadResult } from './src/load.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '3' }, clients: { type: 'string', default: '4' } },
});
const [seconds, clients] = [Number(values.seconds), Number(values.clients)];
if (!(seconds > 0 && clients >= 1))
  throw new RangeError(`--seconds and --clients must be numbers above 0, received ${JSON.stringify(values)}`);

console.log(
  'Untrusted JavaScript over HTTP, each request in a QuickJS that has a library of 4,000 functions loaded.',
);
console.log('Every fifth script pollutes globals, prototypes, the heap or the stack.\n');
const restored = await runLoad('restored', seconds, clients);
const fresh = await runLoad('fresh', seconds, clients);

const perSecond = ({ requests, seconds: taken }: LoadResult): number => requests / taken;
const percentile = ({ latenciesMs }: LoadResult, part: number): string =>
  `${(latenciesMs[Math.floor(latenciesMs.length * part)] ?? Number.NaN).toFixed(2)} ms`;
const row = (result: LoadResult): string[] => [
  Math.round(perSecond(result)).toLocaleString('en'),
  percentile(result, 0.5),
  percentile(result, 0.99),
  `${Math.round(result.residentBytes / 2 ** 20)} MiB`,
  String(result.wrong),
];
const table = new Table({
  head: ['', 'requests/s', 'median', '99 %', 'resident', 'wrong answers'],
  style: { head: [], border: [] },
});
table.push(['restored by a snapshot', ...row(restored)], ['a fresh runtime each', ...row(fresh)]);
console.log(table.toString());
console.log(
  `${(perSecond(restored) / perSecond(fresh)).toFixed(1)} times as many requests; nothing of any script is left.`,
);
if (restored.wrong + fresh.wrong > 0) process.exitCode = 1;
