/** How a stranger's project is set up and installed with each package manager. */
import { join } from 'node:path';
import { outputOf, pnpm, type Command } from '../support/command.ts';

const HERE = import.meta.dirname;
const MODULES = join(HERE, 'node_modules');

/** Names of packages and the `file:` of their tarballs. */
export type Tarballs = Readonly<Record<string, string>>;

/** One way to install. */
export interface Manager {
  readonly name: string;
  /** Files of the project, `package.json` not among them. */
  readonly files: (tarballs: Tarballs) => Readonly<Record<string, string>>;
  /** What `package.json` has beside the dependencies: the packages need each other in versions that no registry has. */
  readonly manifest: (tarballs: Tarballs) => object;
  readonly install: Command;
  /** Runs a script of the project, if that is not plain `node`. */
  readonly node?: Command;
  /** What the installation must fail with, where it must. */
  readonly fails?: RegExp;
}

const none = () => ({});
const node = process.execPath;
const yarn: Command = [node, join(MODULES, '@yarnpkg', 'cli-dist', 'bin', 'yarn.js')];
const bun: Command = [join(MODULES, '@oven', 'bun-linux-x64', 'bin', 'bun')];
const pnpm10: Command = [node, join(MODULES, 'pnpm-10', 'bin', 'pnpm.cjs')];

/** As `README.md` tells people to write it. */
const ALLOW_BUILDS = 'allowBuilds:\n  koffi: false\n';

function workspaceYaml(tarballs: Tarballs): string {
  const lines = Object.entries(tarballs).map(([name, tarball]) => `  '${name}': '${tarball}'\n`);
  return `overrides:\n${lines.join('')}`;
}

function yarnProject(linker: 'pnp' | 'node-modules', enableScripts: boolean) {
  return () => ({
    '.yarnrc.yml': `nodeLinker: ${linker}\nenableScripts: ${enableScripts}\nenableTelemetry: false\nenableImmutableInstalls: false\n`,
    'yarn.lock': '',
  });
}

const withOverrides = (overrides: Tarballs) => ({ overrides });
const withResolutions = (resolutions: Tarballs) => ({ resolutions });

/** Installs what the ways below are run with. */
export function installManagers(): void {
  outputOf(HERE, pnpm('install', '--ignore-workspace', '--frozen-lockfile', '--prefer-offline'));
}

export const MANAGERS: readonly Manager[] = [
  { name: 'npm', files: none, manifest: withOverrides, install: ['npm', 'install'] },
  {
    name: 'npm, without scripts',
    files: none,
    manifest: withOverrides,
    install: ['npm', 'install', '--ignore-scripts'],
  },
  {
    name: 'pnpm 10',
    files: (tarballs) => ({ 'pnpm-workspace.yaml': workspaceYaml(tarballs) }),
    manifest: none,
    install: [...pnpm10, 'install', '--prefer-offline'],
  },
  {
    name: 'pnpm 10, without scripts',
    files: (tarballs) => ({ 'pnpm-workspace.yaml': workspaceYaml(tarballs) }),
    manifest: none,
    install: [...pnpm10, 'install', '--prefer-offline', '--ignore-scripts'],
  },
  {
    name: 'pnpm 12, with the lines of the README',
    files: (tarballs) => ({ 'pnpm-workspace.yaml': workspaceYaml(tarballs) + ALLOW_BUILDS }),
    manifest: none,
    install: pnpm('install', '--prefer-offline'),
  },
  {
    name: 'pnpm 12, without scripts',
    files: (tarballs) => ({ 'pnpm-workspace.yaml': workspaceYaml(tarballs) }),
    manifest: none,
    install: pnpm('install', '--prefer-offline', '--ignore-scripts'),
  },
  {
    // If this succeeds one day, the READMEs need not speak of it any more.
    name: 'pnpm 12, without the lines of the README',
    files: (tarballs) => ({ 'pnpm-workspace.yaml': workspaceYaml(tarballs) }),
    manifest: none,
    install: pnpm('install', '--prefer-offline'),
    fails: /ERR_PNPM_IGNORED_BUILDS/,
  },
  {
    name: 'Yarn 4',
    files: yarnProject('node-modules', true),
    manifest: withResolutions,
    install: [...yarn, 'install'],
  },
  {
    name: 'Yarn 4, without scripts',
    files: yarnProject('node-modules', false),
    manifest: withResolutions,
    install: [...yarn, 'install'],
  },
  {
    name: "Yarn 4, Plug'n'Play",
    files: yarnProject('pnp', false),
    manifest: withResolutions,
    install: [...yarn, 'install'],
    node: [...yarn, 'node'],
  },
  { name: 'Bun', files: none, manifest: withOverrides, install: [...bun, 'install'] },
  {
    name: 'Bun, without scripts',
    files: none,
    manifest: withOverrides,
    install: [...bun, 'install', '--ignore-scripts'],
  },
];
