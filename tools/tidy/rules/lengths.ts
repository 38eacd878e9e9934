/** Small files, in folders that one can take in at a glance. Functions' lengths are the linter's. */
import { dirname } from 'node:path';
import { code, type Files } from '../workspace.ts';

const MAX_LINES = 350;
/** Tables of cases make tests longer. */
const MAX_TEST_LINES = 420;
const MAX_FILES = 16;
/** Larger than they should be, and on no account larger than this. */
const TO_BE_SPLIT: Readonly<Record<string, number>> = {
  'packages/memory-pool/test/module/module.test.ts': 450,
  'packages/mmap/test/restore/page-restorer.test.ts': 500,
};

export function fileLengths(files: Files): string[] {
  return [...code(files)]
    .map(([path, text]) => ({
      path,
      lines: text.trimEnd().split('\n').length,
      most: TO_BE_SPLIT[path] ?? (path.endsWith('.test.ts') ? MAX_TEST_LINES : MAX_LINES),
    }))
    .filter(({ lines, most }) => lines > most)
    .map(({ path, lines, most }) => `${path}: ${lines} lines, over ${most}`);
}

export function folderSizes(files: Files): string[] {
  const sources = [...files.keys()].filter((path) => /^packages\/[^/]+\/src\//.test(path));
  return Object.entries(Object.groupBy(sources, dirname))
    .filter(([folder, inside]) => inside!.length > (TO_BE_SPLIT[folder] ?? MAX_FILES))
    .map(([folder, inside]) => `${folder}: ${inside!.length} files, over ${MAX_FILES}`);
}
