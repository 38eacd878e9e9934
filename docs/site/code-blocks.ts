/** Finds the code in the repository's Markdown, so that tests can run it as a reader would. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One fenced block. */
export interface CodeBlock {
  /** Path of the page from the repository's root. */
  readonly page: string;
  /** Page and line, as an editor opens it. */
  readonly where: string;
  /** What stands behind the fence; empty where nothing does. */
  readonly language: string;
  readonly code: string;
}

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'packages/*/README.md',
  'examples/*/README.md',
  'benchmarks/README.md',
  'tools/*/README.md',
  'docs/guides/*.md',
];
const FENCE = /^```([\w-]*)\n([\s\S]*?)^```$/gm;
const COMMAND = /\b(?:npx @guardstripe\/|node (?:examples|benchmarks|tools)\/)[^`\n]*/g;

/** All blocks below `root`, in the order of the pages. */
export function findCodeBlocks(root: string): CodeBlock[] {
  return readPages(root).flatMap(({ page, text }) =>
    [...text.matchAll(FENCE)].map(({ index, 1: language = '', 2: code = '' }) => ({
      page,
      where: `${page}:${text.slice(0, index).split('\n').length}`,
      language,
      code,
    })),
  );
}

/** Every command that the pages tell a reader to run: ours from npm, and programs of the repository. Without comments. */
export function findCommands(root: string): string[] {
  const commands = readPages(root).flatMap(({ text }) => text.match(COMMAND) ?? []);
  return [...new Set(commands.map((command) => command.replace(/\s+#.*$/, '').trim()))];
}

function readPages(root: string): { page: string; text: string }[] {
  return globSync(PAGES, { cwd: root })
    .toSorted()
    .map((page) => ({ page, text: readFileSync(join(root, page), 'utf8') }));
}
