/**
 * Packs every package as npm would get it and uses the tarballs from a scratch project outside the workspace:
 * an ESM import, a CommonJS `require`, and a strict TypeScript compile of the types. What works here works for a stranger.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const PNPM = ['-y', 'pnpm@12'];

interface Manifest {
  readonly name: string;
}

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function pack(directory: string, destination: string): string {
  const output = run('npx', [...PNPM, 'pack', '--json', '--pack-destination', destination], directory);
  const packed = JSON.parse(output) as { filename: string } | readonly { filename: string }[];
  const { filename } = Array.isArray(packed)
    ? (packed[0] as { filename: string })
    : (packed as { filename: string });
  return resolve(destination, filename);
}

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-packs-'));
try {
  const manifests = globSync('packages/*/package.json').toSorted();
  const packages = manifests.map((file) => ({
    name: (JSON.parse(readFileSync(file, 'utf8')) as Manifest).name,
    tarball: pack(dirname(file), scratch),
  }));

  const files = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const typescript = (
    JSON.parse(readFileSync('package.json', 'utf8')) as { devDependencies: Record<string, string> }
  ).devDependencies;
  writeFileSync(
    join(scratch, 'package.json'),
    JSON.stringify({
      private: true,
      dependencies: files,
      devDependencies: { typescript: typescript['typescript'], '@types/node': typescript['@types/node'] },
    }),
  );
  // The packages need each other in the version that is packed here, which no registry has yet.
  writeFileSync(
    join(scratch, 'pnpm-workspace.yaml'),
    `overrides:\n${packages.map(({ name, tarball }) => `  '${name}': 'file:${tarball}'`).join('\n')}\n`,
  );
  // Without install scripts: nothing here may need a compiler or a download of its own.
  run('npx', [...PNPM, 'install', '--ignore-scripts', '--prefer-offline'], scratch);

  const names = packages.map(({ name }) => name);
  const use = `
    const { MemoryPool, describeMemory } = modules['@guardstripe/memory-pool'];
    const pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 65536, memoryReservation: 65536 });
    const described = describeMemory({ initial: 1, contents: Uint8Array.of(1, 2, 3) });
    const memory = pool.openStore().allocate({ module: described });
    if (new Uint8Array(memory.buffer)[2] !== 3) throw new Error('the image is not in the memory');
    pool.close({ force: true });`;
  writeFileSync(
    join(scratch, 'use.mjs'),
    `const modules = {};\n${names.map((name) => `modules['${name}'] = await import('${name}');`).join('\n')}${use}`,
  );
  writeFileSync(
    join(scratch, 'use.cjs'),
    `const modules = {};\n${names.map((name) => `modules['${name}'] = require('${name}');`).join('\n')}${use}`,
  );
  writeFileSync(
    join(scratch, 'use.ts'),
    `${names.map((name, i) => `import * as module${i} from '${name}';`).join('\n')}
     import { MemoryPool, type PoolMetrics } from '@guardstripe/memory-pool';
     const metrics: PoolMetrics = MemoryPool.create({ totalMemories: 3 }).metrics();
     const live: number = metrics.liveMemories;
     export default [live, ${names.map((_, i) => `module${i}`).join(', ')}];`,
  );
  writeFileSync(
    join(scratch, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        module: 'nodenext',
        target: 'es2023',
        lib: ['es2023', 'esnext.disposable'],
        types: ['node'],
        noEmit: true,
        exactOptionalPropertyTypes: true,
      },
      include: ['use.ts'],
    }),
  );
  run(process.execPath, ['use.mjs'], scratch);
  run(process.execPath, ['use.cjs'], scratch);
  run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'], scratch);
  console.log(`packed and used as ESM, CommonJS and TypeScript: ${names.join(', ')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
