/** The files that the rules look at: text by path. The repository's come from git; a test plants its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import ts from 'typescript';

/** Text by path, relative to the workspace's folder. Of files that are no text the contents are empty. */
export type Files = ReadonlyMap<string, string>;

/** Says in a line of `path:line: what is wrong` each place that breaks it. */
export type Rule = (files: Files) => string[];

const TEXT = new Set([
  ...['.ts', '.mts', '.mjs', '.js', '.c', '.h', '.wat'],
  '.md',
  '.json',
  '.yml',
  '.yaml',
]);
const NOT_OURS = /(?:^|\/)(?:CHANGELOG\.md|pnpm-lock\.yaml|vectors\/.*)$|\.api\.md$/;

/** What git has or would take, without what is generated. */
export function readWorkspace(root: string): Files {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const paths = new Set(listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path))));
  return new Map(
    [...paths].toSorted().map((path) => {
      const read = TEXT.has(extname(path)) && !NOT_OURS.test(path);
      return [path, read ? readFileSync(join(root, path), 'utf8') : ''];
    }),
  );
}

/** Those with one of these endings. */
export function* withEnding(files: Files, ...endings: readonly string[]): Generator<[string, string]> {
  for (const [path, text] of files) if (endings.some((ending) => path.endsWith(ending))) yield [path, text];
}

/** TypeScript and JavaScript. */
export const code = (files: Files): Generator<[string, string]> =>
  withEnding(files, '.ts', '.mts', '.mjs', '.js');

export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
