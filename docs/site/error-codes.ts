/** The error codes that the packages' sources name, so that the guide to them can be complete. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every `ERR_...` in the sources, with the packages that name it, both sorted. */
export function findErrorCodes(root: string): Map<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root })) {
    const source = readFileSync(join(root, file), 'utf8');
    const name = `@guardstripe/${file.split(/[\\/]/)[1]}`;
    for (const [code] of source.matchAll(/\bERR_[A-Z][A-Z_]*[A-Z]\b/g)) {
      found.set(code, (found.get(code) ?? new Set()).add(name));
    }
  }
  return new Map(
    [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([code, names]) => [code, [...names].toSorted()]),
  );
}

/** The codes that have an entry of their own in the guide: a heading of nothing else. */
export function findEntries(markdown: string): string[] {
  return [...markdown.matchAll(/^#{2,3} `(ERR_[A-Z_]+)`$/gm)].map((match) => match[1] as string);
}
