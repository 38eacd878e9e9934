/** A package as npm would get it: its tarball, and what is in it. */
import { globSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { outputOf, pnpm } from '../support/command.ts';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly keywords?: readonly string[];
  readonly types?: string;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface PackedPackage {
  /** The package's folder in the workspace. */
  readonly directory: string;
  readonly tarball: string;
  /** Where the tarball is unpacked. */
  readonly root: string;
  /** The manifest in the tarball; packing rewrites it. */
  readonly manifest: Manifest;
  /** What the tarball holds, relative to `root`. */
  readonly files: readonly string[];
}

export function packAll(scratch: string): PackedPackage[] {
  return globSync('packages/*/package.json')
    .toSorted()
    .filter((manifest) => !isPrivate(manifest))
    .map((manifest) => pack(dirname(manifest), scratch));
}

/** What is private is bundled into the others. */
function isPrivate(manifest: string): boolean {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { private?: boolean }).private === true;
}

function pack(directory: string, scratch: string): PackedPackage {
  const answer = outputOf(directory, pnpm('pack', '--json', '--pack-destination', scratch));
  const tarball = resolve(scratch, (JSON.parse(answer) as { filename: string }).filename);
  const root = join(scratch, 'unpacked', basename(directory));
  mkdirSync(root, { recursive: true });
  outputOf(root, ['tar', '-xzf', tarball, '--strip-components=1']);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return { directory, tarball, root, manifest, files };
}
