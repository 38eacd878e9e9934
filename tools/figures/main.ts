/**
 * Writes the figures of the pages below from the results that the benchmarks left, so that no number is there by hand.
 * With `--check` it only compares, and fails if a page says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { nativeGuestFigures } from './native-guest.ts';
import { poolFigures } from './pool.ts';
import { restoreFigures } from './restore.ts';
import { snapshotFigures } from './snapshot.ts';
import { testedFigures } from './tested.ts';
import { threadsFigures, threadsSummary } from './threads.ts';
import { wasmtimeFigures, wasmtimeStories, wasmtimeSummary } from './wasmtime.ts';

/** A block lies between two comments with its name. */
const BLOCKS: readonly (readonly [page: string, name: string, figures: () => string])[] = [
  ['README.md', 'figures', poolFigures],
  ['README.md', 'restoring', restoreFigures],
  ['README.md', 'beside Wasmtime', wasmtimeSummary],
  ['README.md', 'threads', threadsSummary],
  ['docs/guides/how-it-is-tested.md', 'tested', testedFigures],
  ['docs/guides/many-threads.md', 'figures', threadsFigures],
  ['docs/guides/native-guests.md', 'figures', nativeGuestFigures],
  ['docs/guides/performance.md', 'figures', wasmtimeFigures],
  ['docs/guides/coming-from-wasmtime.md', 'stories', wasmtimeStories],
  ['packages/snapshot/README.md', 'figures', snapshotFigures],
];

/** Apart from how a table is laid out. */
const words = (text: string): string => text.replaceAll(/[\s|-]+/g, ' ');

for (const [page, name, figures] of BLOCKS) {
  const text = readFileSync(page, 'utf8');
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`${page} has no block ${start}`);
  const written = `${text.slice(0, from)}${start}\n\n${figures()}\n\n${text.slice(to)}`;
  if (!process.argv.includes('--check')) {
    writeFileSync(page, written);
  } else if (words(written) !== words(text)) {
    console.error(`${start} in ${page} does not say what the benchmark said: run node tools/figures/main.ts`);
    process.exitCode = 1;
  }
}
