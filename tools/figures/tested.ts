/** How many tests there are: what `tools/tested` kept of the last runs. */
import { readFileSync } from 'node:fs';
import type { Counts } from '../tested/counts.ts';
import { table } from './format.ts';

const RESULTS = 'tools/tested/last-run.json';

const count = (value: number): string => value.toLocaleString('en');

function row(name: string, { files, passed, skipped }: Omit<Counts, 'day'>): string[] {
  return [name, count(files), count(passed), count(skipped)];
}

export function testedFigures(): string {
  const runs = Object.entries(JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Counts>);
  const sum = (field: 'files' | 'passed' | 'skipped') => runs.reduce((all, [, run]) => all + run[field], 0);
  const rows = [
    ...runs.map(([name, run]) => row(`\`${name}\``, run)),
    row('all', { files: sum('files'), passed: sum('passed'), skipped: sum('skipped') }),
  ];
  const days = runs.map(([, { day }]) => day).toSorted();
  const when = days[0] === days.at(-1) ? `on ${days[0]}` : `between ${days[0]} and ${days.at(-1)}`;
  return `${table(['project', 'files', 'tests that passed', 'skipped there'], rows)}\n\nRun ${when}, on one machine without protection keys; none of these failed. A project that is not in the table was not run then.`;
}
