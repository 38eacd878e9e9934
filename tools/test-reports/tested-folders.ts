/** The workspace's packages that have tests. */
import { globSync } from 'node:fs';
import { dirname } from 'node:path';

const CONFIGS = ['packages/*/vitest.config.ts', 'examples/*/vitest.config.ts', 'docs/vitest.config.ts'];

/** Their folders, relative to the workspace's, in order. */
export function testedFolders(workspace: string): readonly string[] {
  return globSync(CONFIGS, { cwd: workspace }).map(dirname).toSorted();
}
