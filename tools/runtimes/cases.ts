/** The ways to run, bundle and test that are tried, and how each is known to end. `docs/guides/where-it-runs.md` is made of them. */

/** One way. The commands run in the stranger's project, one after the other. `BIN` in a file stands for the tools' `node_modules`. */
export interface Case {
  readonly name: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly commands: (bin: string, node: string) => readonly (readonly [string, ...string[]])[];
  /** What the last command prints where the way does not work; undefined where it does. */
  readonly fails?: RegExp;
}

/** What is run: a memory with an image, written and given back. */
const program = (load: string): string => `${load}
const pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: 65536 });
const store = pool.openStore();
const memory = store.allocate({ module: describeMemory({ initial: 1, contents: Uint8Array.of(1, 2, 3) }) });
const { buffer } = memory;
if (new Uint8Array(buffer)[2] !== 3) throw new Error('the image is not in the memory');
memory.free();
if (buffer.byteLength !== 0) throw new Error('the buffer is not detached');
pool.close({ force: true });
console.log('it works');
`;

const names = '{ MemoryPool, describeMemory } ';
export const FILES: Readonly<Record<string, string>> = {
  'use.mjs': program(`import ${names}from '@guardstripe/memory-pool';`),
  'use.cjs': program(`const ${names}= require('@guardstripe/memory-pool');`),
  'use.test.mjs': `import ${names}from '@guardstripe/memory-pool';\ntest('it works', () => {\n${program('')}});\n`,
  'use.test.cjs': `const ${names}= require('@guardstripe/memory-pool');\ntest('it works', () => {\n${program('')}});\n`,
};

const esbuild = (bin: string, node: string, ...options: string[]): readonly [string, ...string[]] => [
  node,
  `${bin}/esbuild/bin/esbuild`,
  'use.mjs',
  '--bundle',
  '--platform=node',
  '--log-level=error',
  ...options,
];

const jest = (bin: string, node: string, ...options: string[]): readonly [string, ...string[]] => [
  node,
  ...options,
  `${bin}/jest/bin/jest.js`,
  '--config',
  'jest.json',
];

const jestConfig = (ending: 'mjs' | 'cjs'): string =>
  JSON.stringify({
    testMatch: [`**/use.test.${ending}`],
    transform: {},
    moduleFileExtensions: [ending, 'js', 'mjs', 'cjs'],
  });

const vitest = (bin: string, node: string, pool: string): readonly [string, ...string[]] => [
  node,
  `${bin}/vitest/vitest.mjs`,
  'run',
  'use.test.mjs',
  '--globals',
  '--pool',
  pool,
];

export const CASES: readonly Case[] = [
  { name: 'Node.js, `import`', commands: (_, node) => [[node, 'use.mjs']] },
  { name: 'Node.js, `require`', commands: (_, node) => [[node, 'use.cjs']] },
  {
    name: 'Node.js, `--permission --allow-addons --allow-fs-read=*`',
    commands: (_, node) => [[node, '--permission', '--allow-addons', '--allow-fs-read=*', 'use.mjs']],
  },
  {
    name: 'Node.js, `--permission` without `--allow-addons`',
    commands: (_, node) => [[node, '--permission', '--allow-fs-read=*', 'use.mjs']],
    fails: /ERR_FFI_UNAVAILABLE/,
  },
  ...['18', '20', '22.0'].map((version): Case => ({
    name: `Node.js ${version}`,
    commands: (bin) => [[`${bin}/node-${version}/bin/node`, 'use.mjs']],
    fails: /ERR_UNSUPPORTED_PLATFORM/,
  })),
  { name: 'Bun', commands: (bin) => [[`${bin}/@oven/bun-linux-x64/bin/bun`, 'use.mjs']] },
  {
    // Deno numbers files by itself, so `node:fs` cannot write to a descriptor that the kernel gave.
    name: 'Deno, memories with an image',
    fails: /Bad file descriptor/,
    commands: (bin) => [
      [`${bin}/@deno/linux-x64-glibc/deno`, 'run', '-A', '--node-modules-dir=manual', 'use.mjs'],
    ],
  },
  {
    name: 'esbuild, ES module',
    commands: (bin, node) => [esbuild(bin, node, '--format=esm', '--outfile=out.mjs'), [node, 'out.mjs']],
  },
  {
    name: 'esbuild, CommonJS',
    commands: (bin, node) => [esbuild(bin, node, '--format=cjs', '--outfile=out.cjs'), [node, 'out.cjs']],
    fails: /ERR_FFI_UNAVAILABLE|ERR_INVALID_ARG_VALUE/,
  },
  {
    name: "Rollup, `external: ['koffi', /^node:/]`",
    files: {
      'rollup.config.mjs': `import resolve from 'BIN/@rollup/plugin-node-resolve/dist/es/index.js';
export default { input: 'use.mjs', external: ['koffi', /^node:/], plugins: [resolve()], output: { file: 'out.mjs', format: 'es' } };\n`,
    },
    commands: (bin, node) => [
      [node, `${bin}/rollup/dist/bin/rollup`, '-c', '--silent'],
      [node, 'out.mjs'],
    ],
  },
  {
    name: "webpack, `externals: { koffi: 'commonjs koffi' }`",
    files: {
      'webpack.config.cjs': `module.exports = { mode: 'development', target: 'node', entry: './use.mjs', externals: { koffi: 'commonjs koffi' }, output: { path: __dirname, filename: 'out.cjs' } };\n`,
    },
    commands: (bin, node) => [
      [node, `${bin}/webpack-cli/bin/cli.js`, '--stats', 'errors-only'],
      [node, 'out.cjs'],
    ],
  },
  {
    name: 'webpack, koffi bundled',
    files: {
      'webpack.config.cjs': `module.exports = { mode: 'development', target: 'node', entry: './use.mjs', output: { path: __dirname, filename: 'out.cjs' } };\n`,
    },
    commands: (bin, node) => [
      [node, `${bin}/webpack-cli/bin/cli.js`, '--stats', 'errors-only'],
      [node, 'out.cjs'],
    ],
    fails: /ERR_FFI_UNAVAILABLE/,
  },
  {
    name: 'Vite, `build --ssr`',
    commands: (bin, node) => [
      [
        node,
        `${bin}/vite/bin/vite.js`,
        'build',
        '--ssr',
        'use.mjs',
        '--outDir',
        'out',
        '--logLevel',
        'error',
      ],
      [node, 'out/use.js'],
    ],
  },
  { name: 'vitest, `threads`', commands: (bin, node) => [vitest(bin, node, 'threads')] },
  { name: 'vitest, `forks`', commands: (bin, node) => [vitest(bin, node, 'forks')] },
  { name: 'vitest, `vmThreads`', commands: (bin, node) => [vitest(bin, node, 'vmThreads')] },
  {
    name: 'Jest, ES modules (`--experimental-vm-modules`)',
    files: { 'jest.json': jestConfig('mjs') },
    commands: (bin, node) => [jest(bin, node, '--experimental-vm-modules')],
  },
  {
    name: 'Jest, CommonJS',
    files: { 'jest.json': jestConfig('cjs') },
    commands: (bin, node) => [jest(bin, node)],
    fails: /Must use import to load ES Module/,
  },
];
