/** A project of a stranger, outside of the workspace, that has the tarballs installed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, pnpm } from '../support/command.ts';
import type { PackedPackage } from './packed-package.ts';

/** Makes the project and returns its folder. */
export function installAll(packages: readonly PackedPackage[], scratch: string): string {
  const project = join(scratch, 'consumer');
  mkdirSync(project);
  const tarballs = packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`] as const);
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(tarballs),
    devDependencies: {
      typescript: devDependencies['typescript'],
      '@types/node': devDependencies['@types/node'],
    },
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  // The packages need each other in the version that is packed here, which no registry has yet.
  const overrides = tarballs.map(([name, tarball]) => `  '${name}': '${tarball}'\n`).join('');
  writeFileSync(join(project, 'pnpm-workspace.yaml'), `overrides:\n${overrides}`);
  // Without install scripts: nothing here may need a compiler or a download of its own.
  outputOf(project, pnpm('install', '--ignore-scripts', '--prefer-offline'));
  return project;
}
