/**
 * Runs the tests of all packages, as they are built now, on the versions of Node that `package.json` beside this file
 * pins: the oldest line that is supported and the newest. `pnpm test` runs them on the one in between.
 *
 *     node tools/node-versions/main.ts [--only 22] [part of a test file's name ...]
 *
 * Ends with 1 if anything failed on any version.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { outputOf, pnpm } from '../support/command.ts';

const HERE = import.meta.dirname;
const WORKSPACE = join(HERE, '..', '..');

/** How pages look in Chromium: the same files in the same browser, whatever Node built them. The house rules, too. */
const SAME_ON_ANY_NODE = ['--exclude=test/looks.test.ts', '--project=!tidy'];

const ENVIRONMENT = {
  NODE_OPTIONS: `--import=${join(HERE, 'lower-using.mjs')}`,
  // Two versions make half the laps each: all that differs between them does so by their V8, not by luck.
  GUARDSTRIPE_THOROUGH: process.env['GUARDSTRIPE_THOROUGH'] ?? '0.5',
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

function testOn({ name, executable }: Version, filters: readonly string[]): boolean {
  console.log(`\n--- ${name}, ${outputOf(HERE, [executable, '--version']).trim()}`);
  const vitest = join(WORKSPACE, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(executable, [vitest, 'run', ...SAME_ON_ANY_NODE, ...filters], {
    cwd: WORKSPACE,
    stdio: 'inherit',
    env: { ...process.env, ...ENVIRONMENT },
  });
  return status === 0;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const chosen = installVersions().filter(
  ({ name }) => values.only === undefined || name === `node-${values.only}`,
);
if (chosen.length === 0)
  throw new RangeError(`--only must be a version that is pinned here, received "${values.only}"`);
const results = chosen.map((version) => testOn(version, positionals));
process.exitCode = results.every(Boolean) ? 0 : 1;
