/**
 * Writes the figures of the pages below from the results that the benchmarks left, so that no number is there by hand.
 * With `--check` it only compares, and fails if a page says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { nativeGuestFigures } from './native-guest.ts';
import { poolFigures } from './pool.ts';
import { snapshotFigures } from './snapshot.ts';

const PAGES: readonly (readonly [page: string, figures: () => string])[] = [
  ['README.md', poolFigures],
  ['docs/guides/native-guests.md', nativeGuestFigures],
  ['packages/snapshot/README.md', snapshotFigures],
];
const BLOCK = /<!-- figures -->\n[\s\S]*<!-- \/figures -->/;

/** Apart from how a table is laid out. */
const words = (text: string): string => text.replaceAll(/[\s|-]+/g, ' ');

for (const [page, figures] of PAGES) {
  const text = readFileSync(page, 'utf8');
  if (!BLOCK.test(text)) throw new Error(`${page} has no block of figures`);
  const written = text.replace(BLOCK, () => `<!-- figures -->\n\n${figures()}\n\n<!-- /figures -->`);
  if (!process.argv.includes('--check')) {
    writeFileSync(page, written);
  } else if (words(written) !== words(text)) {
    console.error(`The figures in ${page} are not those of the benchmark: run node tools/figures/main.ts`);
    process.exitCode = 1;
  }
}
