/** Paths that documents and comments name exist. */
import { posix } from 'node:path';
import { commentBlocks } from '../comments.ts';
import { code, type Files, withEnding } from '../workspace.ts';

/** A path in back quotes: with a folder in it and an ending, or with one of our folders in front. */
const PATH = /^(?:\.{1,2}\/)*[\w@.*-]+(?:\/[\w@.*{},-]+)+\/?$/;
const ENDING = /\.(?:ts|mts|mjs|js|c|h|wat|md|json|ya?ml|html|css)$/;
const OUR_FOLDERS = /^(?:packages|examples|benchmarks|docs|tools|\.github|\.ci|\.changeset)\//;
/** Made by a build or a run, installed, a header of the system, or Node's own source. */
const NOT_OURS = /(?:^|\/)(?:dist|out|node_modules|coverage)(?:\/|$)|^(?:linux|sys|asm)\/|^lib\/internal\//;

export function namedPaths(files: Files): string[] {
  const found: string[] = [];
  const check = (page: string, number: number, named: string): void => {
    const path = named.replace(/[#?].*$/, '').replace(/:\d+$/, '');
    if (path !== '' && !NOT_OURS.test(path) && !exists(page, path, files))
      found.push(`${page}:${number}: there is no ${named}`);
  };
  const checkQuoted = (page: string, number: number, line: string): void => {
    for (const [, quoted] of line.matchAll(/`([^`\s]+)`/g)) {
      if (PATH.test(quoted!) && (ENDING.test(quoted!) || OUR_FOLDERS.test(quoted!)))
        check(page, number, quoted!);
    }
  };
  for (const [page, text] of withEnding(files, '.md')) {
    for (const [i, line] of text.split('\n').entries()) {
      checkQuoted(page, i + 1, line);
      for (const [, target] of line.matchAll(/\]\((?!https?:|mailto:|#)([^)\s]+)\)/g))
        check(page, i + 1, target!);
      // A command of ours: `node tools/x/main.ts`, `cp -r examples/recipes`.
      for (const [, named] of line.matchAll(
        /(?<=^|\s)((?:packages|examples|benchmarks|docs|tools)\/[\w./-]+)/g,
      ))
        check(page, i + 1, named!.replace(/\.$/, ''));
    }
  }
  for (const [page, text] of code(files)) {
    for (const { number, text: line } of commentBlocks(page, text).flat()) checkQuoted(page, number, line);
  }
  return found;
}

/** Beside the page, above it up to its package's folder, or from the workspace's. */
function exists(page: string, path: string, files: Files): boolean {
  const pattern = new RegExp(
    `^${path
      .replace(/^(?:\.{1,2}\/)+/, (dots) => (page.includes('/') ? dots : ''))
      .replace(/\/$/, '')
      .replaceAll(/[.+?^$()|[\]\\]/g, '\\$&')
      .replaceAll(/\{([^}]*)\}/g, (_, words: string) => `(?:${words.replaceAll(',', '|')})`)
      .replaceAll('**', '\0')
      .replaceAll('*', '[^/]*')
      .replaceAll('\0', '.*')}(?:/.*)?$`,
  );
  const up = path.startsWith('.');
  for (let folder = posix.dirname(page); ; folder = posix.dirname(folder)) {
    const base = folder === '.' ? '' : `${folder}/`;
    const there = up
      ? files.has(posix.normalize(`${base}${path}`)) || anyBelow(posix.normalize(`${base}${path}`), files)
      : [...files.keys()].some((file) => file.startsWith(base) && pattern.test(file.slice(base.length)));
    if (there) return true;
    if (folder === '.' || up) return false;
  }
}

function anyBelow(folder: string, files: Files): boolean {
  const start = folder.endsWith('/') ? folder : `${folder}/`;
  return [...files.keys()].some((file) => file.startsWith(start));
}
