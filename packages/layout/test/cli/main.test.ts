/** The built command as a child, as a person runs it. */
import { spawn, spawnSync, type StdioOptions } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sampled } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';
import { calculate, plan, readFlags, slabConstraints } from '../../src/index.js';
import { MIB } from '../support/figures.js';
import { readXml } from '../support/xml.js';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'slab-plan-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    input,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

describe('slab-plan: what is published', () => {
  it('is a program, and the library beside it needs nothing of Node', () => {
    expect(readFileSync(CLI, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(statSync(CLI).mode & 0o111).toBe(0o111);
    const library = readFileSync(fileURLToPath(new URL('../../dist/index.js', import.meta.url)), 'utf8');
    expect(library).not.toMatch(/^import |require\(|process\.\w|from '/m);
    const manifest = JSON.parse(
      readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
    ) as { bin: unknown };
    expect(manifest.bin).toStrictEqual({ 'slab-plan': 'dist/cli.js' });
  });
});

describe('slab-plan plan', () => {
  it('says that the defaults fit, without colour in a pipe', () => {
    const { status, stdout, stderr } = run([]);
    expect({ status, stderr }).toStrictEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Fits: 1,000 slots take 3\.94 TiB of address space, and 63 TiB can be had\n/);
    expect(stdout).toContain('1,000 memories can be live at once, bounded by totalMemories\n');
    expect(stdout).not.toContain('\u001B');
    expect(run(['plan']).stdout).toBe(stdout);
    expect(run([], '', { FORCE_COLOR: '1' }).stdout).toBe(stdout);
  });

  it('ends with 1 where the slab does not fit, and says what would', () => {
    const { status, stdout, stderr } = run(['--address-bits', '39', '--memory-guard-size=2GiB']);
    expect({ status, stderr }).toStrictEqual({ status: 1, stderr: '' });
    expect(stdout).toContain('Does not fit: 1,000 slots take 5.86 TiB');
    // One line in a pipe, so that grep finds it whole.
    expect(stdout).toMatch(/^error: 1,000 slots.*; 55 do\. Lower totalMemories to that.*$/m);
    expect(run(['--memory-protection-keys', 'enable']).status).toBe(1);
  });

  it('ends with 3 where the pool can be made, but not all its memories can be live', () => {
    const words = ['--total-memories', '100000', '--max-memory-size', '1MiB', '--memory-reservation', '1MiB'];
    const { status, stdout, stderr } = run(words);
    expect({ status, stderr }).toStrictEqual({ status: 3, stderr: '' });
    expect(stdout).toMatch(
      /^Fits, but not all can be live: 100,000 slots take [^\n]+\n15,742 memories can be live/,
    );
    expect(run([...words, '--max-map-count', 'none']).status).toBe(0);
    expect(run([...words, '--json']).status).toBe(3);
  });

  it("-O and --embedding: Wasmtime's process and Wasmtime's words", () => {
    const flags = ['-O', 'pooling-total-memories=20000'];
    expect(run(flags).status).toBe(3);
    expect(run(flags).stdout).toContain('84 TiB can be had');
    expect(run([...flags, '--embedding', 'node']).stdout).toContain('63 TiB can be had');
    expect(run(['--embedding=wasmtime', '--total-memories=20000']).stdout).toContain('84 TiB can be had');
    const small = ['--address-bits', '39'];
    expect(run([...flags, ...small]).stdout).toMatch(
      /^error: .* Lower -O pooling-total-memories to that, or lower -O memory-reservation and -O pooling-max-/m,
    );
    expect(run([...flags, ...small]).stdout).toMatch(/^ {2}-O pooling-total-memories +20,000$/m);
    expect(run(['--total-memories', '2000', ...small]).stdout).toMatch(
      /^error: .* Lower --total-memories to that, or lower memoryReservation and maxMemorySize/m,
    );
    expect(run([...flags, '--settings', '-', ...small], '{"max_memory_size": "64MiB"}').stdout).toMatch(
      /^error: .* or lower -O memory-reservation\.$/m,
    );
  });

  it('its settings, as JSON, are settings again', () => {
    const plain = run(['--keys', '15', '--max-memory-size', '64MiB', '--json']);
    const first = JSON.parse(plain.stdout) as ReturnType<typeof plan>;
    const again = run(['--keys', '15', '--settings', '-', '--json'], JSON.stringify(first.settings));
    const names: unknown = expect.anything();
    expect(JSON.parse(again.stdout)).toStrictEqual({ ...first, names });
    const wasmtime = JSON.parse(run(['-O', 'pooling-total-memories=3', '--json']).stdout) as {
      settings: object;
    };
    expect(run(['--settings', '-'], JSON.stringify(wasmtime.settings)).stdout).toBe(
      run(['-O', 'pooling-total-memories=3']).stdout,
    );
  });

  it('--json is the plan of the library', () => {
    const flags = ['pooling-total-memories=20000', 'pooling-max-memory-size=0x4000000'];
    const host = { addressBits: 48, pageSize: 16_384, maxMapCount: 1_000_000, protectionKeys: 15 };
    const words = [
      ...flags.flatMap((flag) => ['-O', flag]),
      ...['--address-bits', '48', '--page-size', '16KiB', '--max-map-count', '1000000', '--keys', '15'],
      ...['--memory', '8GiB', '--resident', '1MiB', '--no-image', '--json'],
    ];
    const { status, stdout } = run(words);
    const expected = plan(
      readFlags(flags),
      { ...host, memoryBytes: 8192 * MIB },
      { residentBytesPerMemory: MIB, hasImage: false },
    );
    const { layout, ...answer } = JSON.parse(stdout) as ReturnType<typeof plan>;
    expect(answer).toStrictEqual(JSON.parse(JSON.stringify({ ...expected, layout: undefined })));
    expect(layout).toMatchObject(Object.fromEntries(Object.entries(expected.layout)));
    expect(layout.totalSlabBytes).toBe(expected.layout.totalSlabBytes);
    expect(status).toBe(3);
    expect(answer.boundBy).toBe('memory');
  });

  it('takes settings from a file and from standard input; -O and options win, in this order', () => {
    const text = JSON.stringify({
      totalMemories: 3,
      'pooling-max-memory-size': '1GiB',
      decommitBatchSize: 4,
    });
    const path = file('settings.json', text);
    const settings = (words: readonly string[], input = '') =>
      (JSON.parse(run([...words, '--json'], input).stdout) as ReturnType<typeof plan>).settings;
    expect(settings(['--settings', path])).toMatchObject({ totalMemories: 3, maxMemorySize: 2 ** 30 });
    expect(settings(['--settings', '-'], text)).toStrictEqual(settings(['--settings', path]));
    const optimize = JSON.stringify({ optimize: { 'pooling-total-memories': 4 } });
    expect(settings(['--settings', '-'], optimize)).toMatchObject({ totalMemories: 4 });
    for (const wrong of ['null', '[]', '5']) {
      const { status, stderr } = run(['--settings', '-'], `{ "optimize": ${wrong} }`);
      expect(status).not.toBe(0);
      expect(stderr).toContain('standard input holds no object of settings under optimize');
    }
    expect(settings(['--settings', path, '-Opooling-total-memories=5'])).toMatchObject({
      totalMemories: 5,
      maxMemorySize: 2 ** 30,
    });
    expect(
      settings(['--total-memories', '6', '-O', 'pooling-total-memories=5', '--settings', path]),
    ).toMatchObject({ totalMemories: 6 });
    expect(
      settings(['--guard-before-linear-memory', 'n', '--linear-memory-keep-resident', '1m']),
    ).toMatchObject({ guardBeforeLinearMemory: false, linearMemoryKeepResident: MIB });
  });

  it('plans for this host, with what is given on top', () => {
    const words = ['--this-host', '--json', '--max-map-count', 'none', '--memory', 'none'];
    const { status, stdout, stderr } = run(words);
    if (process.platform !== 'linux') {
      expect(stderr).toContain('--this-host');
      return;
    }
    const answer = JSON.parse(stdout) as ReturnType<typeof plan>;
    expect(status).toBeLessThan(2);
    expect(answer.liveByMappings).toBeNull();
    expect(answer.liveByMemory).toBeNull();
    expect(answer.slabLimitBytes).toBeGreaterThan(0);
    const limited = JSON.parse(run([...words, '--address-space', '10GiB']).stdout) as typeof answer;
    expect(limited.slabLimitBytes).toBe(8.5 * 2 ** 30);
  });
});

describe('slab-plan draw', () => {
  const words = ['--total-memories', '7', '--max-memory-size', '64MiB', '--keys', '3'];

  it('draws text, of the width asked for, whether or not the host holds the slab', () => {
    const { status, stdout } = run(['draw', ...words, '--address-bits', '20', '--width', '60']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Slab of 7 slots in 3 stripes: /);
    expect(stdout).toContain('slot 6 stripe 0\n');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it('writes an SVG file, or SVG on standard output', () => {
    const path = join(scratch, 'slab.svg');
    expect(run(['draw', ...words, '--svg', path])).toStrictEqual({ status: 0, stdout: '', stderr: '' });
    const svg = readFileSync(path, 'utf8');
    expect(readXml(svg)[0]?.name).toBe('svg');
    expect(run(['draw', ...words, '--svg', '-']).stdout).toBe(svg);
    expect(JSON.parse(run(['draw', ...words, '--json']).stdout)).toMatchObject({
      layout: { numSlots: 7, numStripes: 3 },
      text: run(['draw', ...words]).stdout,
    });
  });
});

describe('slab-plan locate', () => {
  const words = ['--max-memory-size', '256MiB', '--keys', '15'];
  const layout = calculate(slabConstraints({ maxMemorySize: 256 * MIB }, {}, 15));
  const offset = layout.slotOffset(3) + 100;
  const sentence = `offset 0x${offset.toString(16)} is 288,505,956 bytes past the end of the memory in slot 2 (stripe 2), in its neighbour, slot 3 (stripe 3)\n`;

  it.each([
    ['in hexadecimal', [`0x${offset.toString(16)}`]],
    ['in decimal', [String(offset)]],
    ['as an address', [`0x${(0x7000_0000_0000 + offset).toString(16)}`, '--base', '0x700000000000']],
  ])('explains an offset %s', (_, place) => {
    const { status, stdout } = run([
      'locate',
      ...place,
      ...words,
      '--stripe',
      '2',
      '--memory-bytes',
      '64KiB',
    ]);
    expect({ status, stdout }).toStrictEqual({ status: 0, stdout: sentence });
  });

  it('explains offsets outside the slab, and answers in JSON', () => {
    expect(run(['locate', ...words, '--', '-0x10']).stdout).toBe(
      'offset -0x10 is outside the slab, 16 bytes before its first byte\n',
    );
    expect(JSON.parse(run(['locate', String(offset), ...words, '--json']).stdout)).toMatchObject({
      kind: 'memory',
      slot: 3,
      memoryOffset: 100,
      sentence: expect.stringContaining('byte 0x64 of the memory in slot 3') as string,
    });
  });
});

describe('slab-plan: bad usage and pipes', () => {
  const notJson = file('not.json', '{');
  const list = file('list.json', '[]');

  const refused: [words: string[], status: number, text: string][] = [
    [['--bogus'], 2, "Unknown option '--bogus'"],
    [['frobnicate'], 2, 'unknown command "frobnicate"'],
    [['plan', 'draw'], 2, 'one word too many: "draw"'],
    [['locate'], 2, 'locate needs an offset'],
    [['locate', '1', '2'], 2, 'one word too many: "2"'],
    [['locate', 'here'], 2, "'here'"],
    [['locate', '0', '--stripe', '15', '--keys', '3'], 2, 'stripe'],
    [['locate', '0', '--base', '-1'], 2, '--base'],
    [['locate', '-0x10'], 2, 'behind --, as in: locate -- -16'],
    [['locate', ''], 2, 'offset'],
    [[''], 2, 'unknown command ""'],
    [['draw', '--svg', ''], 2, 'cannot write a file without a name: ENOENT'],
    [['--settings', ''], 2, 'cannot read a file without a name: ENOENT'],
    [['--total-memories', '-1'], 2, "'--total-memories' argument is ambiguous\n"],
    [['--total-memories=-1'], 2, 'a whole number'],
    [['--max-memory-size', '99999999TiB'], 2, 'max-memory-size'],
    [['--svg', 'x'], 2, '--svg belongs to the command draw'],
    [['draw', '--stripe', '1'], 2, '--stripe belongs to the command locate'],
    [['draw', '--width', 'wide'], 2, '--width takes a whole number'],
    [['draw', '--width', '10'], 2, 'width'],
    [['draw', '--svg', join(scratch, 'no', 'such', 'folder')], 2, 'cannot write'],
    [['--total-memories', 'many'], 2, 'total-memories'],
    [['--total-memories'], 2, '--total-memories'],
    [['--memory-guard-size', '4GB'], 2, 'binary units'],
    [['--max-memory-size', '5GiB'], 2, 'memoryReservation'],
    [['-O', 'pooling-total-memory=1'], 2, 'pooling-total-memory'],
    [['--address-bits', '99'], 2, 'addressBits'],
    [['--page-size', '5000'], 2, 'pageSize'],
    [['--keys', '-1'], 2, '--keys'],
    [['--embedding', 'deno'], 2, 'embedding'],
    [['--settings', join(scratch, 'missing.json')], 2, 'ENOENT'],
    [['--settings', scratch], 2, 'EISDIR'],
    [['--settings', notJson], 2, 'is not JSON'],
    [['--settings', list], 2, 'holds no object'],
    [['draw', '--total-memories', '4000000000'], 1, '8 PiB'],
    [['--memory-guard-size', '8191TiB', '--memory-reservation', '2TiB'], 1, 'exceeds addressable memory'],
    [['--settings', 'a\u001B[31m\nb'], 2, 'cannot read a [31m b'],
  ];

  it.each(sampled(refused))('%j ends with %d and one line that names %j', (words, status, text) => {
    const answer = run(words);
    expect(answer).toMatchObject({ status, stdout: '' });
    expect(answer.stderr).toMatch(/^slab-plan: [^\n]+\n$/);
    expect(answer.stderr).not.toContain('\u001B');
    expect(answer.stderr).toContain(text);
  });

  it('--version is that of the package', () => {
    const manifest = readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(run(['--version'])).toStrictEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(run(['draw', '--version']).stdout).toBe(`${version}\n`);
  });

  it('help names every command and option, and needs nothing else to be right', () => {
    const { status, stdout } = run(['locate', '--help']);
    expect(status).toBe(0);
    expect(run(['help'])).toStrictEqual({ status, stdout, stderr: '' });
    expect(run(['help', 'draw']).stdout).toBe(stdout);
    for (const code of [0, 1, 2, 3]) expect(stdout).toMatch(new RegExp(`^ {2}${code} {2}[a-z]`, 'm'));
    const source = readFileSync(fileURLToPath(new URL('../../src/cli/options.ts', import.meta.url)), 'utf8');
    const options = [...source.matchAll(/^ {2}'?([a-z-]+)'?: (?:STRING|BOOLEAN|\{ type)/gm)].map(
      ([, name]) => name,
    );
    expect(options.length).toBeGreaterThan(20);
    for (const name of options) expect(stdout).toContain(name === 'wasmtime' ? '-O' : `--${name}`);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(existsSync(join(scratch, 'slab.svg'))).toBe(true);
  });

  it.runIf(existsSync('/dev/full'))('ends with one line when the answer cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    const stdio: StdioOptions = ['ignore', full, 'pipe'];
    const { status, stderr } = spawnSync(process.execPath, [CLI], { stdio, encoding: 'utf8' });
    closeSync(full);
    expect({ status, stderr }).toStrictEqual({
      status: 2,
      stderr: 'slab-plan: cannot write the answer: ENOSPC\n',
    });
  });

  it('ends quietly when nobody reads on', async () => {
    const child = spawn(process.execPath, [CLI, 'draw', '--svg', '-', '--width', '10000'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let complaints = '';
    child.stderr.on('data', (chunk) => (complaints += String(chunk)));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect({ status, complaints }).toStrictEqual({ status: 0, complaints: '' });
  });
});
