/**
 * A whole release without publishing, in a scratch clone of the last commit: versions and changelogs from the changesets,
 * build, package checks, tarballs installed and used. Prints what would be published. The working tree is not touched.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pnpm, show } from './support/command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-release-'));
const clone = join(scratch, 'guardstripe');
try {
  execFileSync('git', ['clone', '--quiet', process.cwd(), clone], { stdio: 'inherit' });
  show(clone, pnpm('install', '--frozen-lockfile', '--prefer-offline'));
  // None are left in the commit that is itself a release: its versions stand.
  if (globSync('.changeset/*.md', { cwd: clone }).length > 0)
    show(clone, pnpm('exec', 'changeset', 'version'));
  // As on the machine that publishes: versions alone must not ask for another lockfile.
  show(clone, pnpm('install', '--frozen-lockfile', '--prefer-offline'));
  show(clone, pnpm('build', '--output-logs=errors-only'));
  show(clone, pnpm('check:packages'));
  show(clone, pnpm('check:packs'));
  console.log(`\nWould be published:\n\n${releaseNotes().join('\n')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** What each changelog says of the version that its package has now. */
function releaseNotes(): string[] {
  return globSync(join(clone, 'packages/*/package.json'))
    .toSorted()
    .map((file) => {
      const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string };
      const changelog = readFileSync(join(dirname(file), 'CHANGELOG.md'), 'utf8');
      const [, ...entries] = changelog.split(/^## /m);
      const notes = entries.find((entry) => entry.startsWith(`${version}\n`));
      if (notes === undefined) throw new Error(`${name}: the changelog has no entry for ${version}`);
      return `${name}@${notes}`;
    });
}
