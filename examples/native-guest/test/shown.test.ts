/** What a reader is told to run: the demo, and the code of the guide. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findCodeBlocks } from '../../../docs/site/code-blocks.ts';
import { describeGuests } from './support/prepared.ts';

const EXAMPLE = join(import.meta.dirname, '..');
const OUT = join(EXAMPLE, 'out');
const OUT_OF_BOUNDS = /^memory access out of bounds: the guest in slot 0 \(stripe 0\) read 0x[\da-f]+: /m;

const run = (program: string): string =>
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    cwd: EXAMPLE,
    encoding: 'utf8',
  });

describeGuests('a reader runs', () => {
  it('the demo', () => {
    const printed = run('main.ts');
    expect(printed.match(/^TrapError: memory access out of bounds/gm)).toHaveLength(2);
    expect(printed).toMatch(/^it can still be called: 1$/m);
  });

  it('the code of the guide', () => {
    const block = findCodeBlocks(join(EXAMPLE, '..', '..')).find(
      ({ page, language }) => page === 'docs/guides/native-guests.md' && language === 'ts',
    );
    mkdirSync(OUT, { recursive: true });
    writeFileSync(join(OUT, 'guide.ts'), block?.code.replaceAll("'./src/", "'../src/") ?? '');
    const printed = run(join('out', 'guide.ts'));
    rmSync(OUT, { recursive: true });
    expect(printed).toMatch(OUT_OF_BOUNDS);
    expect(printed).toMatch(/^ungrown\n103$/m);
  });
});
