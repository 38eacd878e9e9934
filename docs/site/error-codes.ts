/** The error codes that the packages' sources name, with the classes that carry them, so that the guide to them is complete. */
import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** A class of errors that a package exports. */
export interface ErrorClass {
  readonly name: string;
  readonly packageName: string;
  /** The first sentence of its documentation. */
  readonly meaning: string;
}

/** Where a code comes from. */
export interface ErrorSource {
  /** The packages that name it, sorted. */
  readonly packages: readonly string[];
  readonly classes: readonly ErrorClass[];
}

/** What is bundled into every package that imports it: its codes are theirs. */
const SHARED_FOLDER = 'common';
const SHARED_IMPORT = "from '@guardstripe/common'";

/** Every `ERR_...` in the sources, sorted. */
export function findErrorCodes(root: string): ReadonlyMap<string, ErrorSource> {
  const found = new Map<string, { packages: Set<string>; classes: ErrorClass[] }>();
  const sharedCodes = globSync(`packages/${SHARED_FOLDER}/src/*.ts`, { cwd: root }).flatMap((file) =>
    codesIn(readFileSync(join(root, file), 'utf8')),
  );
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root }).toSorted()) {
    const source = readFileSync(join(root, file), 'utf8');
    const folder = file.split(sep)[1] ?? '';
    if (folder === SHARED_FOLDER) continue;
    const packageName = `@guardstripe/${folder}`;
    const codes = codesIn(source);
    if (source.includes(SHARED_IMPORT)) codes.push(...sharedCodes);
    for (const code of codes) {
      const entry = found.get(code) ?? { packages: new Set(), classes: [] };
      entry.packages.add(packageName);
      found.set(code, entry);
    }
    const index = readFileSync(join(root, 'packages', folder, 'src', 'index.ts'), 'utf8');
    for (const { code, name, meaning } of classesIn(source)) {
      if (new RegExp(String.raw`\b${name}\b`).test(index))
        found.get(code)?.classes.push({ name, packageName, meaning });
    }
  }
  return new Map(
    [...found]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, { packages, classes }]) => [code, { packages: [...packages], classes }]),
  );
}

function codesIn(source: string): string[] {
  return [...source.matchAll(/\bERR_[A-Z][A-Z_]*[A-Z]\b/g)].map(([code]) => code);
}

const DOCUMENTED_CLASS = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export class (\w+)[^{]*\{([\s\S]*?)\n\}/g;
const CODE_FIELD = /readonly code(?::[^=]+)? = '(ERR_[A-Z_]+)'/;

function classesIn(source: string): { code: string; name: string; meaning: string }[] {
  return [...source.matchAll(DOCUMENTED_CLASS)].flatMap(([, comment = '', name = '', body = '']) => {
    const code = CODE_FIELD.exec(body)?.[1];
    return code === undefined ? [] : [{ code, name, meaning: firstSentence(comment) }];
  });
}

function firstSentence(comment: string): string {
  const text = comment
    .replaceAll(/\n\s*\*/g, ' ')
    .replaceAll(/\{@link (\w+)\}/g, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return /^.*?[.:](?= |$)/.exec(text)?.[0].replace(/:$/, '.') ?? text;
}

/** The codes that have an entry of their own in the guide: a heading of nothing else. */
export function findEntries(markdown: string): string[] {
  return [...markdown.matchAll(/^#{2,3} `(ERR_[A-Z_]+)`$/gm)].map((match) => match[1]!);
}
