/** Each recipe, as a user runs it: exit code 0, nothing on standard error, and what its output says. They check their bytes themselves. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, '..');

const RECIPES: Readonly<Record<string, readonly RegExp[]>> = {
  'image-memory.ts': [
    /^memory of the codec: \d+ MiB/m,
    /^resident: .* 0 bytes differ$/m,
    /^the same in a new instance/m,
  ],
  'parser-memory.ts': [
    /^a large file: .* 0 bytes differ after the restore$/m,
    /^a small file, its tree deleted/m,
  ],
  'python-scripts.ts': [/^nothing left of 11 hostile scripts/m, /^a fresh interpreter with the library/m],
  'quickjs-scripts.ts': [
    /^nothing left of 7 hostile scripts; memory \d+ MiB$/m,
    /^a fresh runtime with the library/m,
  ],
  'sqlite-fixtures.ts': [/^5 tests undone, the database is sound$/m, /^loading a copy of the file/m],
  'typescript-forks.ts': [
    /^10 forks, \d+ MiB of heap each, shared; every answer right$/m,
    /^a fork taken back/m,
  ],
};

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.ts'));

describe('the recipes', () => {
  it('are all listed here', () => {
    expect(Object.keys(RECIPES).toSorted()).toEqual(files.toSorted());
  });

  it.each(files)('%s has fewer than a hundred lines', (name) => {
    expect(readFileSync(join(FOLDER, name), 'utf8').split('\n').length - 1).toBeLessThan(100);
  });

  it.each(sampled(Object.entries(RECIPES)))('%s runs, and says what it must', (name, facts) => {
    const args = ['--expose-gc', '--disable-warning=ExperimentalWarning', join(FOLDER, name)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    for (const fact of facts) expect(stdout).toMatch(fact);
    expect(status).toBe(0);
  });
});
