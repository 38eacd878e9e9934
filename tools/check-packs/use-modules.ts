/** Uses the installed packages as an ES module, as CommonJS, and as strict TypeScript. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf } from '../support/command.ts';

/** What a program does with the modules, which it finds in `modules` by their names. */
export const USE = `
const { MemoryPool, describeMemory } = modules['@guardstripe/memory-pool'];
const pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 65536, memoryReservation: 65536 });
const described = describeMemory({ initial: 1, contents: Uint8Array.of(1, 2, 3) });
const memory = pool.openStore().allocate({ module: described });
if (new Uint8Array(memory.buffer)[2] !== 3) throw new Error('the image is not in the memory');
pool.close({ force: true });
const { snapshot } = modules['@guardstripe/snapshot'];
const taken = new WebAssembly.Memory({ initial: 1 });
const state = snapshot(taken);
new Uint8Array(taken.buffer)[0] = 1;
state.restore();
if (new Uint8Array(taken.buffer)[0] !== 0) throw new Error('the snapshot was not restored');
state.close();
`;

const USE_TYPED = `
import { MemoryPool, type PoolMetrics } from '@guardstripe/memory-pool';
const metrics: PoolMetrics = MemoryPool.create({ totalMemories: 3 }).metrics();
export const live: number = metrics.liveMemories;
`;

const TSCONFIG = {
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
};

export function useModules(names: readonly string[], project: string): void {
  const write = (file: string, text: string): void => writeFileSync(join(project, file), text);
  const load = (how: (name: string) => string): string =>
    `const modules = {};\n${names.map((name) => `modules['${name}'] = ${how(name)};`).join('\n')}`;
  const imports = names.map((name, index) => `export * as module${index} from '${name}';`).join('\n');

  write('use.mjs', load((name) => `await import('${name}')`) + USE);
  write('use.cjs', load((name) => `require('${name}')`) + USE);
  write('use.ts', imports + USE_TYPED);
  write('tsconfig.json', JSON.stringify(TSCONFIG));

  outputOf(project, [process.execPath, 'use.mjs']);
  outputOf(project, [process.execPath, 'use.cjs']);
  outputOf(project, [process.execPath, join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
}
