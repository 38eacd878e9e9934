/**
 * Runs the tests of all packages, as they are built now, on the versions of Node that `package.json` beside this file
 * pins: the oldest line that is supported and the newest. `pnpm test` runs them on the one in between.
 *
 *     node tools/node-versions/main.ts [--only 22] [part of a test file's name ...]
 *
 * Reports in vitest's JSON form are left in `out/`. Ends with 1 if anything failed on any version.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { outputOf, pnpm } from '../support/command.ts';
import { sumLine, sumReports } from '../test-reports/sum.ts';
import { testedFolders } from '../test-reports/tested-folders.ts';

const HERE = import.meta.dirname;
const WORKSPACE = join(HERE, '..', '..');
const OUT = join(HERE, 'out');
/** Each takes a core for most of its time, and vitest starts workers of its own. */
const PACKAGES_AT_A_TIME = 2;

/** How pages look in Chromium: the same files in the same browser, whatever Node built them. */
const SAME_ON_ANY_NODE = 'test/looks.test.ts';

const ENVIRONMENT = {
  NODE_OPTIONS: `--import=${join(HERE, 'lower-using.mjs')}`,
  // Mappings and descriptors are counted to the last one; the million is for `pnpm test`.
  GUARDSTRIPE_RECYCLES: '200000',
};

interface Version {
  /** As `node-22`. */
  readonly name: string;
  readonly executable: string;
}

function installVersions(): readonly Version[] {
  outputOf(HERE, pnpm('install', '--ignore-workspace', '--frozen-lockfile', '--prefer-offline'));
  const manifest = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.keys(manifest.dependencies).map((name) => ({
    name,
    executable: join(HERE, 'node_modules', name, 'bin', 'node'),
  }));
}

function reportOf(version: Version, folder: string): string {
  return join(OUT, `test-results-${version.name}-${basename(folder)}.json`);
}

/** What it printed comes in one piece, when it has ended. */
async function testPackage(version: Version, folder: string, filters: readonly string[]): Promise<void> {
  const args = [
    join(WORKSPACE, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportOf(version, folder)}`,
    `--exclude=${SAME_ON_ANY_NODE}`,
    ...(filters.length > 0 ? ['--passWithNoTests', ...filters] : []),
  ];
  const child = spawn(version.executable, args, {
    cwd: join(WORKSPACE, folder),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...ENVIRONMENT },
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  process.stdout.write(`\n--- ${folder} on ${version.name}\n${Buffer.concat(chunks).toString()}`);
  if (status !== 0) process.exitCode = 1;
}

async function testVersion(version: Version, filters: readonly string[]): Promise<void> {
  const folders = testedFolders(WORKSPACE);
  const queue = [...folders];
  const work = async (): Promise<void> => {
    for (let folder = queue.shift(); folder !== undefined; folder = queue.shift())
      await testPackage(version, folder, filters);
  };
  await Promise.all(Array.from({ length: PACKAGES_AT_A_TIME }, work));
  const sum = sumReports(folders.map((folder) => reportOf(version, folder)));
  const { stdout } = spawnSync(version.executable, ['--version'], { encoding: 'utf8' });
  console.log(`Node ${stdout.trim()}: ${sumLine(sum)}`);
  if (!sum.success) process.exitCode = 1;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
const chosen = installVersions().filter(
  ({ name }) => values.only === undefined || name === `node-${values.only}`,
);
if (chosen.length === 0)
  throw new RangeError(`--only must be a version that is pinned here, received "${values.only}"`);
for (const version of chosen) await testVersion(version, positionals);
