/** From a place in a built file to the source it was built from, by the source map beside it. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a function stands in the sources: a path from the working directory, and a line from 1. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

interface BuiltFile {
  readonly path: string;
  readonly map: SourceMap;
  /** Offset of each line's first character. */
  readonly lineStarts: readonly number[];
}

const known = new Map<string, BuiltFile>();

/** The source of the character at `offset` of a built file. */
export function sourceOf(url: string, offset: number): SourceLine {
  let built = known.get(url);
  if (built === undefined) known.set(url, (built = read(url)));
  const next = built.lineStarts.findIndex((start) => start > offset);
  const line = (next === -1 ? built.lineStarts.length : next) - 1;
  const entry = built.map.findEntry(line, offset - (built.lineStarts[line] ?? 0));
  if (!('originalSource' in entry)) throw new Error(`${url} has no source for offset ${offset}`);
  const file = relative(process.cwd(), resolve(dirname(built.path), entry.originalSource));
  return { file, line: entry.originalLine + 1 };
}

function read(url: string): BuiltFile {
  const path = fileURLToPath(url);
  const text = readFileSync(path, 'utf8');
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  const payload = JSON.parse(readFileSync(`${path}.map`, 'utf8')) as ConstructorParameters<
    typeof SourceMap
  >[0];
  return { path, map: new SourceMap(payload), lineStarts };
}
