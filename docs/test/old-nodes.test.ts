/** What a person sees who runs the packages, as they are built, on a Node.js that is too old for them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { nodeObstacle } from '@guardstripe/common';
import { describe, expect, it } from 'vitest';

const WORKSPACE = join(import.meta.dirname, '..', '..');
const DIST = (name: string, file = 'index.js') => join(WORKSPACE, 'packages', name, 'dist', file);

/** Without the options of this run, which an older Node.js need not know. */
function run(executable: string, words: readonly string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawnSync(executable, words, { encoding: 'utf8', env });
}

const versionOf = (executable: string): string =>
  run(executable, ['--version']).stdout?.trim().replace(/^v/, '') ?? '';

/** Whatever is on the path, where the starter of the workspace is one, and what `check:runtimes` installs. */
const candidates = [
  ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node')),
  ...['18', '20', '22.0'].map((version) =>
    join(WORKSPACE, `tools/runtimes/node_modules/node-${version}/bin/node`),
  ),
];
const oldNodes = new Map<string, string>();
for (const executable of candidates) {
  const version = existsSync(executable) ? versionOf(executable) : '';
  if (version !== '' && nodeObstacle(version) !== undefined) oldNodes.set(version, executable);
}

const PROGRAM = `
import * as pool from ${JSON.stringify(DIST('memory-pool'))};
import * as mmap from ${JSON.stringify(DIST('mmap'))};
import * as mpk from ${JSON.stringify(DIST('mpk'))};
import * as snapshot from ${JSON.stringify(DIST('snapshot'))};
import { plan } from ${JSON.stringify(DIST('layout'))};
import { SimpleIndexAllocator } from ${JSON.stringify(DIST('index-allocator'))};
const outcome = (action) => {
  try { return action(); } catch (error) { return error.code + ': ' + error.message; }
};
const wasm = Buffer.from('0061736d0100000005030100010b09010041080b03616263', 'hex');
console.log(JSON.stringify({
  errors: [
    outcome(() => pool.MemoryPool.create()),
    outcome(() => mmap.Mmap.anonymous(4096)),
    outcome(() => mmap.host()),
    outcome(() => snapshot.snapshot(new WebAssembly.Memory({ initial: 1 }))),
  ],
  reasons: [pool, mpk, snapshot].map((each) => [each.isSupported(), each.supportReason()]),
  pure: [
    outcome(() => plan().liveMemories),
    outcome(() => new SimpleIndexAllocator(3).alloc()),
    outcome(() => pool.describeModule(wasm).memories.length),
    outcome(() => pool.describeMemory({ contents: wasm }).memories[0].initialization),
    outcome(() => mpk.keys().keys.length),
  ],
}));
`;

describe('on a Node.js before 22.12', () => {
  it('which there is', (context) => {
    if (oldNodes.size === 0)
      context.skip('there is none on the path; npx -y pnpm@12 check:runtimes installs some');
    expect([...oldNodes.keys()].filter((version) => nodeObstacle(version) === undefined)).toEqual([]);
  });

  it.each([...oldNodes])('%s: one clear error at first use, and what is pure works', (version, node) => {
    const words = ['--input-type=module', '--eval', PROGRAM];
    const { stdout, stderr } = run(node, words);
    expect(stderr).toBe('');
    const sentence = `Node.js 22.12 or later is needed, and this is ${version}`;
    expect(JSON.parse(stdout)).toEqual({
      errors: [
        ...Array.from({ length: 3 }, () => `ERR_UNSUPPORTED_PLATFORM: Unsupported platform: ${sentence}`),
        `ERR_SNAPSHOT_UNSUPPORTED: Cannot take a snapshot: ${sentence}`,
      ],
      reasons: [
        [false, `Unsupported platform: ${sentence}`],
        [false, sentence],
        [false, sentence],
      ],
      pure: [1000, 0, 1, 'image', 0],
    });
  });

  it.each([...oldNodes])('%s: commands say so in one line', (version, node) => {
    const sentence = `Node.js 22.12 or later is needed, and this is ${version}\n`;
    const said = (...words: string[]) => {
      const { status, stdout, stderr } = run(node, words);
      return { status, stdout, stderr };
    };
    expect(said(DIST('memory-pool', 'cli/main.js'), 'doctor')).toEqual({
      status: 1,
      stdout: '',
      stderr: `guardstripe-memory-pool: ${sentence}`,
    });
    expect(said(DIST('layout', 'cli.js'))).toEqual({
      status: 2,
      stdout: '',
      stderr: `slab-plan: ${sentence}`,
    });
  });
});
