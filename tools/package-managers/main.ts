/**
 * Installs the packages from their tarballs with every package manager that people use, with and without install scripts, and
 * uses what is installed. `npx -y pnpm@12 check:managers`; needs the npm registry.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packAll } from '../check-packs/packed-package.ts';
import { USE } from '../check-packs/use-modules.ts';
import type { Command } from '../support/command.ts';
import { installManagers, MANAGERS, type Manager, type Tarballs } from './managers.ts';

/** npm writes no progress, and none of them asks back. */
const ENVIRONMENT = { ...process.env, CI: 'true', NO_COLOR: '1' };

installManagers();
const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-managers-'));
const failures: string[] = [];
try {
  const packages = packAll(scratch);
  const tarballs = Object.fromEntries(
    packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  );
  for (const [index, manager] of MANAGERS.entries()) {
    const problem = tryOut(manager, tarballs, join(scratch, `project-${index}`));
    console.log(`${problem === undefined ? 'ok    ' : 'FAILED'} ${manager.name}`);
    if (problem !== undefined) failures.push(`${manager.name}\n${problem}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (failures.length > 0) throw new Error(`These do not work:\n\n${failures.join('\n\n')}`);

function tryOut(manager: Manager, tarballs: Tarballs, project: string): string | undefined {
  mkdirSync(project);
  const write = (file: string, text: string): void => writeFileSync(join(project, file), text);
  write(
    'package.json',
    JSON.stringify({ private: true, dependencies: tarballs, ...manager.manifest(tarballs) }),
  );
  for (const [file, text] of Object.entries(manager.files(tarballs))) write(file, text);
  const names = Object.keys(tarballs);
  write(
    'use.mjs',
    `const modules = {};\n${names.map((name) => `modules['${name}'] = await import('${name}');\n`).join('')}${USE}`,
  );

  const installed = run(project, manager.install);
  if (manager.fails !== undefined) {
    return installed.status !== 0 && manager.fails.test(installed.output)
      ? undefined
      : `ended with ${installed.status}, where ${manager.fails} was expected:\n${installed.output}`;
  }
  if (installed.status !== 0) return `the installation ended with ${installed.status}:\n${installed.output}`;
  const used = run(project, [
    ...(manager.node ?? ([process.execPath] as const)),
    'use.mjs',
  ] as unknown as Command);
  return used.status === 0 ? undefined : `what was installed does not work:\n${used.output}`;
}

function run(
  cwd: string,
  [file, ...args]: Command,
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    encoding: 'utf8',
    env: ENVIRONMENT,
  });
  return { status, output: `${stdout}${stderr}${error === undefined ? '' : error.message}` };
}
