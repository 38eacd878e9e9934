/** The program as it is run: its output, and its exit code. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sampled } from '@guardstripe/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  data,
  dataAtGlobal,
  exportsMemory,
  functions,
  importedMemory,
  memories,
  plainImports,
  start,
  storesAtZero,
  types,
  wasm,
} from './support/wasm.ts';

const MAIN = join(import.meta.dirname, '..', 'main.ts');

const FILES: Readonly<Record<string, Uint8Array>> = {
  'data.wasm': wasm(memories({ minimum: 2, maximum: 4 }), exportsMemory, data(0, 66_000, [1, 2, 3])),
  'hidden.wasm': wasm(memories({ minimum: 1 }), data(0, 8, [9])),
  'two.wasm': wasm(memories({ minimum: 1 }, { minimum: 2 }), data(1, 70_000, [5, 6])),
  'start.wasm': wasm(types, functions, memories({ minimum: 1 }), start, storesAtZero, data(0, 0, [1])),
  'imports.wasm': wasm(types, plainImports, memories({ minimum: 1 }), data(0, 3, [1])),
  'guest.wasm': wasm(types, plainImports, memories({ minimum: 1 }), dataAtGlobal),
  'wide.wasm': wasm(memories({ minimum: 1, index: 'i64' })),
  'empty.wasm': wasm(memories({ minimum: 0 })),
  'none.wasm': wasm(),
  'imported.wasm': wasm(importedMemory),
  'shared.wasm': wasm(memories({ minimum: 1, maximum: 2, shared: true })),
  'large.wasm': wasm(memories({ minimum: 20_000 })),
  'text.wasm': Buffer.from('this is not WebAssembly\n'),
};

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guardstripe-first-run-'));
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, name), bytes);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runMain(...args: readonly string[]) {
  const svg = args.includes('--svg') ? [] : ['--svg', join(folder, 'slab.svg')];
  return spawnSync(process.execPath, [MAIN, ...svg, ...args], { cwd: folder, encoding: 'utf8' });
}

interface JsonResult {
  ok: boolean;
  exitCode: number;
  plan: { slots: number; bound: string };
  modules: { name: string; comparison: { kind: string; reason?: string; changes?: string[] } }[];
  refused: { name: string; reason: string; fault: boolean }[];
  crowd?: { live: number; wrong: number };
  affinity?: { sameSlots: number; imagesKept: number; imagesExpected: number; comparedWhole: number };
  timing?: { rows: { name: string; dropped: number; kept: number; newInstance?: number }[] };
  svg: string;
  failures: string[];
}

function runJson(...args: readonly string[]): { status: number | null; result: JsonResult } {
  const { status, stdout, stderr } = runMain('--json', '--slots', '64', ...args);
  expect(stderr).toBe('');
  return { status, result: JSON.parse(stdout) as JsonResult };
}

function comparisons(result: JsonResult): Record<string, string> {
  return Object.fromEntries(result.modules.map(({ name, comparison }) => [name, comparison.kind]));
}

describe('main.ts on files', () => {
  it('compares every memory that V8 can start, and runs through', () => {
    const good = [
      'data.wasm',
      'hidden.wasm',
      'two.wasm',
      'start.wasm',
      'imports.wasm',
      'wide.wasm',
      'empty.wasm',
    ];
    const { status, result } = runJson(...good);
    expect(result.failures).toEqual([]);
    expect(comparisons(result)).toEqual({
      'data.wasm': 'equal',
      'hidden.wasm': 'equal',
      'two.wasm #0': 'equal',
      'two.wasm #1': 'equal',
      'start.wasm': 'equal',
      'imports.wasm': 'equal',
      'wide.wasm': 'equal',
      'empty.wasm': 'equal',
    });
    const changed = result.modules.find(({ name }) => name === 'start.wasm');
    expect(changed?.comparison.changes).toEqual(['its start function left out']);
    expect(result.crowd).toMatchObject({ live: 64, wrong: 0 });
    expect(result.affinity).toMatchObject({ sameSlots: 64 });
    expect(result.affinity?.imagesKept).toBe(result.affinity?.imagesExpected);
    expect(result.timing?.rows).toHaveLength(8);
    expect(readFileSync(result.svg, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
    expect(status).toBe(0);
  });

  it('says why V8 cannot be compared with, and goes on', () => {
    const { status, result } = runJson('guest.wasm', 'data.wasm');
    expect(comparisons(result)).toEqual({ 'guest.wasm': 'not compared', 'data.wasm': 'equal' });
    expect(result.modules[0]?.comparison.reason).toMatch(/depends on what it imports/);
    expect(status).toBe(0);
  });

  it('leaves modules out that no pool can hold, with one line each', () => {
    const { status, result } = runJson(
      'imported.wasm',
      'shared.wasm',
      'large.wasm',
      'none.wasm',
      'data.wasm',
    );
    const reasons = Object.fromEntries(result.refused.map(({ name, reason }) => [name, reason]));
    expect(reasons).toEqual({
      'imported.wasm': expect.stringMatching(/imported/) as string,
      'shared.wasm': expect.stringMatching(/shared/) as string,
      'large.wasm': expect.stringMatching(/minimum size .* more than maxMemorySize/) as string,
      'none.wasm': 'The module has no memory',
    });
    expect(result.refused.every(({ reason }) => !reason.includes('\n'))).toBe(true);
    expect(comparisons(result)).toEqual({ 'data.wasm': 'equal' });
    expect(status).toBe(0);
  });

  it('goes on without files that are missing or not WebAssembly, and ends with 3', () => {
    const { status, result } = runJson('missing.wasm', 'text.wasm', 'data.wasm');
    expect(result.refused.map(({ name, fault }) => [name, fault])).toEqual([
      ['missing.wasm', true],
      ['text.wasm', true],
    ]);
    expect(result.crowd).toMatchObject({ live: 64, wrong: 0 });
    expect(result.failures).toEqual([]);
    expect(status).toBe(3);
  });

  it('ends with 3 if nothing is left to run on', () => {
    const { status, result } = runJson('imported.wasm');
    expect(result.crowd).toBeUndefined();
    expect(status).toBe(3);
  });

  it('ends with 1 if anything is not as it must be', () => {
    const { status, result } = runJson('--svg', join(folder, 'data.wasm', 'slab.svg'), 'data.wasm');
    expect(result.failures).toHaveLength(1);
    expect(status).toBe(1);
  });

  const sabotages: [what: string, how: string, failure: RegExp][] = [
    [
      'reset',
      'PageRestorer.prototype.writeBack = () => ({ strategy: "write", bytesWritten: 0, bytesDropped: 0, bytesResident: 0, leftOffset: 0, leftBytes: 0 });',
      /allocated again: it still has its last tenant's pattern/,
    ],
    [
      'map',
      'const system = platform(); const { mapFile } = system; system.mapFile = (...all) => all[2] || mapFile(...all);',
      /^data\.wasm: byte 0x101d0 is 0x0, V8 has 0x1$/,
    ],
  ];

  it.each(sampled(sabotages))('ends with 1 if the library does not %s', (what, sabotage, failure) => {
    const preload = join(folder, `without-${what}.mjs`);
    const library = pathToFileURL(createRequire(import.meta.url).resolve('@guardstripe/mmap')).href;
    writeFileSync(preload, `import { PageRestorer, platform } from '${library}'; ${sabotage}`);
    const args = ['--import', pathToFileURL(preload).href, MAIN, '--json', '--slots', '16'];
    const { status, stdout } = spawnSync(
      process.execPath,
      [...args, '--svg', 'broken.svg', 'data.wasm', 'hidden.wasm'],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    const result = JSON.parse(stdout) as JsonResult;
    expect(result.failures.some((text) => failure.test(text))).toBe(true);
    expect(status).toBe(1);
  });

  it('prints plain lines, and a table at the end', () => {
    const { status, stdout } = runMain('--slots', '16', 'data.wasm', 'missing.wasm', 'shared.wasm');
    // No colour, no cursor movement, no spinner.
    expect(stdout).not.toContain('\u001B');
    expect(stdout).toMatch(
      /^data\.wasm: 128 KiB \(2\.\.4 pages\), image of 4 KiB at 0x10000, all 131,072 bytes equal/m,
    );
    expect(stdout).toMatch(/^missing\.wasm: left out: ENOENT/m);
    expect(stdout).toMatch(/^shared\.wasm: left out: Memory 0 of the module is shared/m);
    expect(stdout).toMatch(/^live at once +16 memories, as many as --slots says/m);
    expect(stdout).toMatch(/^checks +\d+ made, 0 failed$/m);
    expect(status).toBe(3);
  });
});

describe('main.ts on the packaged modules', () => {
  it('compares all of them with V8', () => {
    const { status, result } = runJson();
    expect(result.failures).toEqual([]);
    expect(result.refused.map(({ name }) => name)).toEqual(['quickjs/emscripten-module.wasm']);
    expect(new Set(result.modules.map(({ comparison }) => comparison.kind))).toEqual(new Set(['equal']));
    const packages = new Set(result.modules.map(({ name }) => name.split('/')[0]));
    const known = [
      'argon2-browser',
      'draco3d',
      'esbuild-wasm',
      'hash-wasm',
      'source-map',
      'sql.js',
      'tiktoken',
      'vscode-oniguruma',
    ];
    expect(packages).toEqual(new Set(known));
    expect(result.affinity).toMatchObject({ sameSlots: 64 });
    expect(status).toBe(0);
  });
});

describe('the command line', () => {
  it('prints its help', () => {
    const { status, stdout } = runMain('--help');
    expect(stdout).toMatch(/^Usage: .*[\s\S]*--slots[\s\S]*--json[\s\S]*Exit codes:/);
    expect(status).toBe(0);
  });

  const refused: [args: string[], message: RegExp][] = [
    [['--slots', '2'], /--slots must be a whole number from 3 .* received '2'/],
    [['--slots', '1e3'], /received '1e3'/],
    [['--slots', '1000000'], /--slots 1000000 is too many\. .* slots fit/],
    [['--frobnicate'], /--frobnicate/],
  ];

  it.each(sampled(refused))('refuses %j with 2', (args, message) => {
    const { status, stdout, stderr } = runMain('--json', ...args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
