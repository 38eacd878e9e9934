import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rules } from '../rules/index.ts';
import { readWorkspace } from '../workspace.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

describe('in this workspace', () => {
  const files = readWorkspace(ROOT);

  it('files are found', () => {
    expect(files.size).toBeGreaterThan(400);
    expect(files.get('tools/tidy/rules/index.ts')).toContain('satisfies');
  });

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(files)).toEqual([]);
  });
});
