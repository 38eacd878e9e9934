/** Finds the TypeScript examples in the repository's Markdown, so that a test can run each as a reader would. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One fenced `ts` block. */
export interface Example {
  /** File and line, as an editor opens it. */
  readonly where: string;
  readonly code: string;
}

const PAGES = ['README.md', 'packages/*/README.md', 'examples/*/README.md', 'docs/guides/*.md'];
const FENCE = /^```ts\n([\s\S]*?)^```$/gm;

/** All examples below `root`, in the order of the pages. */
export function findExamples(root: string): Example[] {
  return globSync(PAGES, { cwd: root })
    .toSorted()
    .flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8');
      return [...text.matchAll(FENCE)].map((match) => ({
        where: `${page}:${text.slice(0, match.index).split('\n').length}`,
        code: match[1] as string,
      }));
    });
}
