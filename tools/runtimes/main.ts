/**
 * Tries the packages, from their tarballs, in other runtimes, bundlers and test runners: each way of `cases.ts` must end as it
 * says there. `npx -y pnpm@12 check:runtimes [part of a name]`; needs the npm registry.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packAll } from '../check-packs/packed-package.ts';
import { outputOf, pnpm } from '../support/command.ts';
import { CASES, FILES, type Case } from './cases.ts';

const HERE = import.meta.dirname;
const BIN = join(HERE, 'node_modules');
const [, , part = ''] = process.argv;

outputOf(
  HERE,
  pnpm('install', '--ignore-workspace', '--frozen-lockfile', '--prefer-offline', '--ignore-scripts'),
);
const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-runtimes-'));
const failures: string[] = [];
try {
  const installed = install(join(scratch, 'installed'));
  for (const [index, tried] of CASES.entries()) {
    if (!tried.name.includes(part)) continue;
    const problem = tryOut(tried, installed, join(scratch, `project-${index}`));
    console.log(
      `${problem === undefined ? 'ok    ' : 'FAILED'} ${tried.name}${tried.fails === undefined ? '' : ' (does not work, as said)'}`,
    );
    if (problem !== undefined) failures.push(`${tried.name}\n${problem}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (failures.length > 0)
  throw new Error(`These end in another way than \`cases.ts\` says:\n\n${failures.join('\n\n')}`);

/** The packages as npm lays them out; returns their `node_modules`. */
function install(project: string): string {
  mkdirSync(project);
  const dependencies = Object.fromEntries(
    packAll(scratch).map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  );
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, dependencies, overrides: dependencies }),
  );
  outputOf(project, ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  return join(project, 'node_modules');
}

function tryOut({ files, commands, fails }: Case, installed: string, project: string): string | undefined {
  mkdirSync(project);
  symlinkSync(installed, join(project, 'node_modules'));
  for (const [file, text] of Object.entries({
    'package.json': '{ "private": true, "type": "module" }',
    ...FILES,
    ...files,
  })) {
    writeFileSync(join(project, file), text.replaceAll('BIN', BIN));
  }
  let output = '';
  let failed = false;
  for (const [file, ...args] of commands(BIN, process.execPath)) {
    const env = { ...process.env, NO_COLOR: '1', NODE_PATH: BIN };
    const run = spawnSync(file, args, { cwd: project, encoding: 'utf8', env });
    output = `${run.stdout}${run.stderr}${run.error?.message ?? ''}`;
    failed = run.status !== 0;
    if (failed) break;
  }
  const asSaid = fails === undefined ? !failed : failed && fails.test(output);
  return asSaid ? undefined : output;
}
