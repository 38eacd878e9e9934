/**
 * What a tarball must hold, and nothing else: what the manifest points to, a source map for each script, and the papers.
 * Source maps bring their sources along, since `src` is not published.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join, normalize } from 'node:path';
import type { PackedPackage } from './packed-package.ts';

const PAPERS = ['LICENSE', 'README.md'];
const SHEBANG = '#!/usr/bin/env node\n';
const EXECUTABLE_BY_ALL = 0o111;

export function contentProblems(packed: PackedPackage): string[] {
  const wanted = wantedFiles(packed);
  const present = new Set(packed.files);
  const missing = [...wanted].filter((file) => !present.has(file));
  if (missing.length > 0) return missing.map((file) => `${file} is missing from the tarball`);
  return [
    ...packed.files.filter((file) => !wanted.has(file)).map((file) => `${file} has no place in the tarball`),
    ...[...wanted].filter((file) => file.endsWith('.js')).flatMap((file) => mapProblems(packed, file)),
    ...[...wanted].filter((file) => !file.endsWith('.map')).flatMap((file) => privateProblems(packed, file)),
    ...binTargets(packed).flatMap((file) => binProblems(packed, file)),
  ];
}

function wantedFiles(packed: PackedPackage): Set<string> {
  const { exports = {}, types } = packed.manifest;
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
  if (types !== undefined) targets.push(types);
  const files = [...targets.map(normalize), ...binTargets(packed)];
  const maps = files.filter((file) => file.endsWith('.js')).map((file) => `${file}.map`);
  // The first release writes it.
  const changelog = existsSync(join(packed.directory, 'CHANGELOG.md')) ? ['CHANGELOG.md'] : [];
  return new Set([...PAPERS, ...changelog, 'package.json', ...files, ...maps]);
}

function binTargets({ manifest }: PackedPackage): string[] {
  return Object.values(manifest.bin ?? {}).map(normalize);
}

function mapProblems({ root }: PackedPackage, script: string): string[] {
  const map = `${script}.map`;
  const { sources, sourcesContent = [] } = JSON.parse(readFileSync(join(root, map), 'utf8')) as {
    readonly sources: readonly string[];
    readonly sourcesContent?: readonly (string | null)[];
  };
  const problems = sources
    .filter((_, index) => typeof sourcesContent[index] !== 'string')
    .map((source) => `${map} names ${source} and does not bring it along`);
  const ending = `//# sourceMappingURL=${basename(map)}`;
  if (!readFileSync(join(root, script), 'utf8').trimEnd().endsWith(ending))
    problems.push(`${script} does not end in ${ending}`);
  return problems;
}

/** The workspace's private package is bundled in; nobody else can install it. */
function privateProblems({ root }: PackedPackage, file: string): string[] {
  return readFileSync(join(root, file), 'utf8').includes('@guardstripe/common')
    ? [`${file} mentions @guardstripe/common, which is never published`]
    : [];
}

function binProblems({ root }: PackedPackage, file: string): string[] {
  const problems: string[] = [];
  if ((statSync(join(root, file)).mode & EXECUTABLE_BY_ALL) !== EXECUTABLE_BY_ALL)
    problems.push(`${file} is a command and not executable`);
  if (!readFileSync(join(root, file), 'utf8').startsWith(SHEBANG))
    problems.push(`${file} is a command and does not start with ${SHEBANG.trim()}`);
  return problems;
}
