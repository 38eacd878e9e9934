/** Modules made to hurt: they end in an error that names a limit, or are described; the process lives on little heap. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { encodeModule } from '@guardstripe/wasm-builder';
import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { describeModule, ModuleLimitError, type ModuleLimits } from '../../src/index.js';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'hostile.mjs');
/** Less than 10 million small objects need. */
const HEAP_MEGABYTES = 160;

/** How modules ended, one after the other in one process. */
function run(names: readonly string[], ...nodeOptions: readonly string[]): Record<string, unknown> {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [`--max-old-space-size=${HEAP_MEGABYTES}`, ...nodeOptions, FIXTURE, ...names],
    { encoding: 'utf8' },
  );
  const lines = stdout.split('\n').slice(0, -1);
  const ends = lines.map((line) => JSON.parse(line) as [name: string, end: unknown]);
  // What ended the process is how the next module ended.
  if (status !== 0) throw new Error(`after ${ends.at(-1)?.[0]}: ${signal ?? status}: ${stderr}`);
  return Object.fromEntries(ends);
}

const over = (limit: keyof ModuleLimits) => ({ code: 'ERR_MODULE_LIMIT', limit });
const INVALID = { code: 'ERR_INVALID_MODULE' };

const ENDS: Readonly<Record<string, object>> = {
  '20 MB of memory types': over('maxMemories'),
  '20 MB of memory types with pages of one byte': over('maxMemories'),
  '20 MB of imported memories': over('maxMemories'),
  '20 MB of imported globals': over('maxGlobals'),
  '20 MB of imported functions': INVALID,
  '20 MB of globals': over('maxGlobals'),
  '20 MB of sections': over('maxSections'),
  '20 MB of passive segments': over('maxDataSegments'),
  '20 MB of active segments': over('maxDataSegments'),
  '20 MB of operands': INVALID,
  '20 MB of operands and operators': { zeros: 1 },
  '20 MB of operands in a global': INVALID,
  'four billion memories announced': INVALID,
  'four billion segments announced': INVALID,
  'a section of four gigabytes': INVALID,
  '400 KB of memory types': { zeros: 100_000 },
  '400 KB of memory types with pages of one byte': { zeros: 100_000 },
  '100,000 memories, a segment in each': { image: 256, copy: 99_744 },
  '100,000 segments over one another': { image: 1 },
  '4 GiB of image from two bytes': { copy: 1 },
};

describe('a hostile module', () => {
  it('ends in an error, or is described', () => {
    const ends = sampled(Object.entries(ENDS));
    expect(run(ends.map(([name]) => name))).toEqual(Object.fromEntries(ends));
  });
});

describe('a Node that compiles no WebAssembly', () => {
  it.each(sampled(['--jitless', '--disallow-code-generation-from-strings']))(
    'reads modules all the same, and is as strict about their memories: %s',
    (option) => {
      const ends = {
        '100,000 segments over one another': { image: 1 },
        '20 MB of memory types': over('maxMemories'),
        '20 MB of operands': INVALID,
        'a section of four gigabytes': INVALID,
      };
      expect(run(Object.keys(ends), option)).toEqual(ends);
    },
  );
});

describe('limits', () => {
  const bytes = encodeModule({
    memories: [{ minimum: 1, importName: ['env', 'memory'] }, { minimum: 4 }, { minimum: 1 }],
    globals: [{ type: 'i32', importName: ['env', 'base'] }, { type: 'i32' }],
    segments: [
      { memoryIndex: 1, data: [1] },
      { memoryIndex: 1, offset: 65_536, data: [1] },
      { memoryIndex: 2, data: [1] },
      { data: [1] },
    ],
  });
  /** What the module has of each. */
  const has: ModuleLimits = {
    maxModuleBytes: bytes.byteLength,
    maxSections: 5,
    maxMemories: 3,
    maxGlobals: 2,
    maxDataSegments: 4,
    maxImageBytes: 65_536 + 2 * 4096,
  };

  it('let a module through that has exactly as much', () => {
    expect(describeModule(bytes, { limits: has }).memories).toHaveLength(3);
  });

  it.each(Object.keys(has) as (keyof ModuleLimits)[])('%s refuses one more, and says so', (limit) => {
    const maximum = has[limit] - 1;
    const refused = expect.objectContaining({
      name: 'ModuleLimitError',
      code: 'ERR_MODULE_LIMIT',
      limit,
      maximum,
      actual: has[limit],
      message: expect.stringContaining(`limits.${limit} is ${maximum}`) as string,
    }) as Error;
    expect(() => describeModule(bytes, { limits: { [limit]: maximum } })).toThrow(refused);
    expect(() => describeModule(bytes, { limits: { [limit]: maximum } })).toThrow(ModuleLimitError);
  });

  it.each([
    ['ERR_INVALID_ARG_TYPE', null],
    ['ERR_INVALID_ARG_TYPE', 5],
    ['ERR_INVALID_ARG_TYPE', { maxMemories: '5' }],
    ['ERR_INVALID_ARG_TYPE', { maxMemories: 5n }],
    ['ERR_INVALID_ARG_TYPE', { maxSections: Symbol('five') }],
    ['ERR_OUT_OF_RANGE', { maxImageBytes: -1 }],
    ['ERR_OUT_OF_RANGE', { maxImageBytes: Number.NaN }],
    ['ERR_OUT_OF_RANGE', { maxImageBytes: 0.5 }],
    ['ERR_OUT_OF_RANGE', { maxModuleBytes: Infinity }],
  ])('%s for %o', (code, limits) => {
    expect(() => describeModule(bytes, { limits: limits as never })).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });
});
