/**
 * A whole release without publishing, in a scratch repository that holds the last commit: versions and changelogs from the
 * changesets, build, package checks, tarballs installed and used. Prints what would be published. The working tree is not
 * touched.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { outputOf, pnpm, show } from './support/command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-release-'));
const copy = join(scratch, 'guardstripe');
try {
  copyLastCommit();
  show(copy, pnpm('install', '--frozen-lockfile', '--prefer-offline'));
  // None are left in the commit that is itself a release: its versions stand.
  if (globSync('.changeset/*.md', { cwd: copy }).length > 0) show(copy, pnpm('exec', 'changeset', 'version'));
  // As on the machine that publishes: new versions must not ask for another lockfile.
  show(copy, pnpm('install', '--frozen-lockfile', '--prefer-offline'));
  show(copy, pnpm('build', '--output-logs=errors-only'));
  show(copy, pnpm('check:packages'));
  show(copy, pnpm('check:packs'));
  console.log(`\nWould be published:\n\n${releaseNotes().join('\n')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Not with `git clone`: of a shallow repository it makes a shallow one, in which changesets looks for history for ever. */
function copyLastCommit(): void {
  const archive = join(scratch, 'commit.tar');
  mkdirSync(copy);
  outputOf('.', ['git', 'archive', `--output=${archive}`, 'HEAD']);
  outputOf(copy, ['tar', '-xf', archive]);
  const author = ['-c', 'user.name=release:dry', '-c', 'user.email=release-dry@localhost'];
  outputOf(copy, ['git', 'init', '--quiet', '--initial-branch=main']);
  outputOf(copy, ['git', 'add', '--all']);
  outputOf(copy, ['git', ...author, 'commit', '--quiet', '--message=The last commit']);
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
}

/** What each changelog says of the version that its package has now. */
function releaseNotes(): string[] {
  return globSync(join(copy, 'packages/*/package.json'))
    .toSorted()
    .flatMap((file) => {
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      const { name, version } = manifest;
      if (manifest.private === true) return [];
      const changelog = readFileSync(join(dirname(file), 'CHANGELOG.md'), 'utf8');
      const [, ...entries] = changelog.split(/^## /m);
      const notes = entries.find((entry) => entry.startsWith(`${version}\n`));
      if (notes === undefined) throw new Error(`${name}: the changelog has no entry for ${version}`);
      return [`${name}@${notes}`];
    });
}
