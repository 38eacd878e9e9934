/**
 * A whole release without publishing, in a scratch clone of the last commit: versions and changelogs from the changesets,
 * build, package checks, tarballs installed and used. Prints what would be published. The working tree is not touched.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-release-'));
const clone = join(scratch, 'guardstripe');

function run(command: string, ...args: readonly string[]): void {
  console.log(`\n$ ${command} ${args.join(' ')}`);
  execFileSync(command, args, { cwd: clone, stdio: ['ignore', 'inherit', 'inherit'] });
}

function pnpm(...args: readonly string[]): void {
  run('npx', '-y', 'pnpm@12', ...args);
}

try {
  execFileSync('git', ['clone', '--quiet', process.cwd(), clone], { stdio: 'inherit' });
  pnpm('install', '--frozen-lockfile', '--prefer-offline');
  pnpm('exec', 'changeset', 'version');
  pnpm('install', '--no-frozen-lockfile', '--prefer-offline');
  pnpm('build');
  pnpm('check:packages');
  pnpm('check:packs');
  console.log('\nWould be published:');
  for (const file of globSync(join(clone, 'packages/*/package.json')).toSorted()) {
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string };
    const changelog = readFileSync(join(dirname(file), 'CHANGELOG.md'), 'utf8');
    if (!changelog.includes(`## ${version}`))
      throw new Error(`${name}: the changelog has no entry for ${version}`);
    console.log(`  ${name}@${version}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
