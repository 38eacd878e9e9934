/**
 * Checks the published types with every version of TypeScript that is supported, with and without the types of Node, strictly and
 * without `skipLibCheck`. `npx -y pnpm@12 check:types`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packAll, type PackedPackage } from '../check-packs/packed-package.ts';
import { outputOf, pnpm } from '../support/command.ts';

const HERE = import.meta.dirname;

/** What makes types resolve differently. `lib` has nothing of the browser, nor what is newer than the language. */
const SETTINGS = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const;

outputOf(HERE, pnpm('install', '--ignore-workspace', '--frozen-lockfile', '--prefer-offline'));
const { dependencies } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const versions = Object.keys(dependencies).filter((name) => name.startsWith('typescript-'));

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-types-'));
const failures: string[] = [];
try {
  const packages = packAll(scratch);
  for (const nodeTypes of [true, false]) {
    const project = makeProject(packages, join(scratch, nodeTypes ? 'with-node' : 'without-node'), nodeTypes);
    for (const version of versions) {
      for (const settings of SETTINGS) {
        const problem = check(version, project, settings, nodeTypes);
        const name = `${version}, ${settings.moduleResolution}, ${nodeTypes ? 'with' : 'without'} the types of Node`;
        console.log(`${problem === undefined ? 'ok    ' : 'FAILED'} ${name}`);
        if (problem !== undefined) failures.push(`${name}\n${problem}`);
      }
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (failures.length > 0) throw new Error(`The types do not hold:\n\n${failures.join('\n\n')}`);

/** A stranger's project, with nothing in `node_modules` but our packages, and the types of Node if wanted. */
function makeProject(packages: readonly PackedPackage[], project: string, nodeTypes: boolean): string {
  for (const { manifest, root } of packages) {
    const target = join(project, 'node_modules', manifest.name);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(root, target, { recursive: true });
  }
  if (nodeTypes) copyNodeTypes(project);
  const names = packages.map(({ manifest }) => manifest.name);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  writeFileSync(join(project, 'use.ts'), useOf(names));
  return project;
}

function copyNodeTypes(project: string): void {
  const from = join(HERE, 'node_modules', '@types', 'node');
  cpSync(from, join(project, 'node_modules', '@types', 'node'), { recursive: true, dereference: true });
  // What the types of Node need of their own; without it they do not check.
  cpSync(join(HERE, 'node_modules', 'undici-types'), join(project, 'node_modules', 'undici-types'), {
    recursive: true,
    dereference: true,
  });
}

/** Everything is looked at, and what is disposable is used as that. */
function useOf(names: readonly string[]): string {
  const everything = names.map((name, index) => `export * as module${index} from '${name}';`).join('\n');
  return `${everything}
import { MemoryPool, type PoolMetrics } from '@guardstripe/memory-pool';
using pool = MemoryPool.create({ totalMemories: 3 });
const metrics: PoolMetrics = pool.metrics();
export const live: number = metrics.liveMemories;
// @ts-expect-error: types that were not found would be \`any\`, and take this
export const wrong: string = metrics.liveMemories;
`;
}

function check(
  version: string,
  project: string,
  settings: (typeof SETTINGS)[number],
  nodeTypes: boolean,
): string | undefined {
  const compilerOptions = {
    ...settings,
    target: 'es2022',
    lib: ['es2022'],
    types: nodeTypes ? ['node'] : [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.ts'] }));
  const tsc = join(HERE, 'node_modules', version, 'bin', 'tsc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
  return status === 0 ? undefined : `${stdout}${stderr}`;
}
