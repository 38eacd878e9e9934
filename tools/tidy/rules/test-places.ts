/**
 * Tests lie at their source's path: the tests of `src/a/b` are `test/a/b` and, for more of them, `test/a/b-more`. A topic of a
 * whole folder has a test in that folder, one of the package at the top of `test`.
 */
import { type Files } from '../workspace.ts';

/** Topics large enough for a folder, whose sources have none. */
const TOPICS = ['packages/memory-pool/test/views/'];

export function testPlaces(files: Files): string[] {
  const sources = new Map<string, string[]>();
  for (const path of files.keys()) {
    const [, folder, place] = /^((?:packages|examples)\/[^/]+)\/src\/(.+)\.ts$/.exec(path) ?? [];
    if (folder !== undefined) sources.set(folder, [...(sources.get(folder) ?? []), place!]);
  }
  return [...files.keys()].flatMap((path) => {
    const [, folder, place] = /^((?:packages|examples)\/[^/]+)\/test\/(.+)\.test\.ts$/.exec(path) ?? [];
    if (folder === undefined || TOPICS.some((topic) => path.startsWith(topic))) return [];
    const wrong = misplaced(place!, sources.get(folder) ?? []);
    return wrong === undefined ? [] : [`${path}: ${wrong}`];
  });
}

function misplaced(place: string, sources: readonly string[]): string | undefined {
  if (sources.some((source) => place === source || place.startsWith(`${source}-`))) return undefined;
  const name = place.slice(place.lastIndexOf('/') + 1);
  const same = sources.filter((source) => source === name || source.endsWith(`/${name}`));
  if (same.length > 0) return `its source is src/${same[0]}.ts`;
  const folder = place.slice(0, -name.length);
  return sources.some((source) => source.startsWith(folder)) ? undefined : `there is no src/${folder}`;
}
