/** The built command as a child, and what it makes of hosts that this one is not. */
import { spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { plan } from '@guardstripe/layout';
import { host } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { examine, type Report } from '../../src/cli/examine.js';
import type { Facts } from '../../src/cli/facts.js';
import { showReport } from '../../src/cli/show.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PLAIN = { mark: (_: string, text: string) => text };

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

const GOOD: Facts = {
  platform: 'linux',
  arch: 'x64',
  pageSize: 4096,
  addressBits: 47,
  overcommit: 'heuristic',
  maxMapCount: 1_048_576,
  addressSpaceLimitBytes: undefined,
  features: { memfd: true, pagemapScan: true, processMadvise: true, guardPages: true, sharedZeroPage: true },
  nodeVersion: '24.0.0',
  kernelRelease: '6.18.0',
  largestReservationBytes: 64 * 2 ** 40,
  mappingsInUse: 120,
  memoryBytes: 16 * 2 ** 30,
  protectionKeys: 15,
  noKeysReason: undefined,
  transparentHugePages: 'madvise',
  threads: { obstacle: undefined, hasStartTimes: true, hasWaitAsync: true },
  hasViews: true,
};

const finding = (facts: Facts, subject: string) =>
  examine(facts).findings.find((found) => found.subject === subject);

describe('doctor: this host', () => {
  it('says what there is, without colour in a pipe', () => {
    const { status, stdout, stderr } = run(['doctor']);
    expect(stderr).toBe('');
    expect(status).toBe(stdout.includes('\nfix ') ? 1 : 0);
    expect(stdout).toContain(`Node.js ${process.versions.node}\n`);
    expect(stdout).not.toContain('\u001B');
    for (const { subject } of examine(GOOD).findings)
      expect(stdout).toMatch(new RegExp(`^(ok|note|fix) +${subject} `, 'm'));
  });

  it('answers in JSON; its host goes into plan()', () => {
    const { status, stdout } = run(['doctor', '--json']);
    const report = JSON.parse(stdout) as Report;
    const { pageSize, addressBits, overcommit, features } = host();
    expect(report.facts).toMatchObject({ pageSize, addressBits, overcommit, features });
    expect(report.facts.largestReservationBytes).toBeGreaterThan(2 ** 30);
    expect(status).toBe(report.works ? (report.defaultPool.fits ? 0 : 3) : 1);
    expect(plan({}, report.host).liveMemories).toBe(report.defaultPool.liveMemories);
  });

  it('finds a limit on the address space, and ends with 1 where the default pool does not fit', () => {
    const kibibytes = 16 * 2 ** 20;
    const command = `ulimit -v ${kibibytes} && exec "$0" "$@"`;
    const words = ['-c', command, process.execPath, CLI, 'doctor'];
    const { status, stdout } = spawnSync('sh', words, { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^note +RLIMIT_AS +16 GiB$/m);
    expect(stdout).toMatch(/^fix +address space +\d+ bits, 1\d GiB in one piece$/m);
    expect(stdout).toMatch(/the default 1,000 slots do not fit, 3 do/);
    expect(stdout).toContain('raise RLIMIT_AS');
    expect(stdout).toMatch(/cannot be made here\.\n$/);
  });
});

describe('doctor: other hosts', () => {
  it('a host that has it all: nothing but ok', () => {
    const report = examine(GOOD);
    expect(report.works).toBe(true);
    expect(report.findings.filter(({ state }) => state !== 'ok')).toStrictEqual([]);
    expect(report.defaultPool).toMatchObject({ liveMemories: 1000, boundBy: 'totalMemories' });
    expect(showReport(report, PLAIN)).toMatch(/works here: 1,000 memories at once\.\n$/);
  });

  it.each<[string, Partial<Facts>, string]>([
    ['page size', { pageSize: 65_536 }, 'note'],
    ['address space', { addressBits: 39, largestReservationBytes: 300 * 2 ** 30 }, 'fix'],
    ['RLIMIT_AS', { addressSpaceLimitBytes: 2 ** 40 }, 'note'],
    ['vm.max_map_count', { maxMapCount: 4000 }, 'note'],
    // Less than pools leave free.
    ['vm.max_map_count', { maxMapCount: 2000 }, 'fix'],
    ['vm.max_map_count', { maxMapCount: undefined }, 'note'],
    ['RAM', { memoryBytes: 2 ** 20 }, 'note'],
    ['overcommit', { overcommit: 'never' }, 'note'],
    ['overcommit', { overcommit: 'unknown' }, 'note'],
    ['overcommit', { overcommit: 'always' }, 'ok'],
    ['huge pages', { transparentHugePages: 'always' }, 'note'],
    ['huge pages', { transparentHugePages: 'unknown' }, 'ok'],
    ['protection keys', { protectionKeys: 0, noKeysReason: 'no such processor' }, 'note'],
    ['protection keys', { protectionKeys: 1 }, 'note'],
    ['memfd', { features: { ...GOOD.features, memfd: false } }, 'note'],
    ['PAGEMAP_SCAN', { features: { ...GOOD.features, pagemapScan: false } }, 'note'],
    ['process_madvise', { features: { ...GOOD.features, processMadvise: false } }, 'note'],
    ['zero page', { features: { ...GOOD.features, sharedZeroPage: false } }, 'note'],
    ['views', { hasViews: false }, 'note'],
    ['shared pools', { threads: { ...GOOD.threads, obstacle: 'no room for the area' } }, 'note'],
    ['shared pools', { threads: { ...GOOD.threads, hasStartTimes: false } }, 'note'],
    ['shared pools', { threads: { ...GOOD.threads, hasWaitAsync: false } }, 'note'],
  ])('%s with %j: %s, and nothing else changes', (subject, change, state) => {
    const facts = { ...GOOD, ...change };
    expect(finding(facts, subject)?.state).toBe(state);
    expect(finding(facts, subject)?.effect).not.toMatch(/undefined|NaN|Infinity/);
    const others = examine(facts).findings.filter((found) => found.subject !== subject);
    expect(others.filter(({ state: other }) => other !== 'ok')).toStrictEqual([]);
    expect(examine(facts).works).toBe(state !== 'fix');
  });

  it('a pool that can be made and of which not all can be live is no success', () => {
    const report = examine({ ...GOOD, maxMapCount: 4000 });
    expect(report).toMatchObject({ works: true, defaultPool: { fits: false, liveMemories: 360 } });
    expect(showReport(report, PLAIN)).toMatch(/works here: 360 memories at once, not all of its 1,000\.\n$/);
  });

  it('39 address bits: says how many slots fit, and who plans more', () => {
    const found = finding(
      { ...GOOD, addressBits: 39, largestReservationBytes: 300 * 2 ** 30 },
      'address space',
    );
    expect(found?.advice).toContain('at most 74 totalMemories');
    expect(found?.advice).toContain('npx @guardstripe/layout --this-host');
  });

  it('no keys: says why', () => {
    const found = finding(
      { ...GOOD, protectionKeys: 0, noKeysReason: 'the processor has none' },
      'protection keys',
    );
    expect(found?.effect).toContain('the processor has none');
  });
});

describe('guardstripe-memory-pool: usage', () => {
  it.each([
    [[], 'say what to do'],
    [['cure'], 'unknown command "cure"'],
    [['doctor', 'twice'], 'one word too many: "twice"'],
    [['doctor', '--bogus'], "Unknown option '--bogus'"],
    [['doctor', '--json=1'], "'--json' does not take an argument"],
    [[''], 'unknown command ""'],
  ])('%j ends with 2 and one line', (words, text) => {
    const { status, stdout, stderr } = run(words);
    expect({ status, stdout }).toStrictEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^guardstripe-memory-pool: [^\n]+\n$/);
    expect(stderr).toContain(text);
  });

  it('--version is that of the package', () => {
    const manifest = readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(run(['--version'])).toStrictEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('help says what it does and how it ends', () => {
    const { status, stdout } = run(['--help']);
    expect(status).toBe(0);
    expect(run(['help'])).toStrictEqual({ status, stdout, stderr: '' });
    for (const code of [0, 1, 2, 3]) expect(stdout).toMatch(new RegExp(`^ {2}${code} {2}[a-z]`, 'm'));
    expect(stdout).toMatch(/^Usage: guardstripe-memory-pool doctor/);
    expect(stdout).toContain('Exit codes:');
  });

  it('is a program', () => {
    expect(statSync(CLI).mode & 0o111).toBe(0o111);
  });

  it.runIf(existsSync('/dev/full'))('ends with one line when the answer cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    const stdio: StdioOptions = ['ignore', full, 'pipe'];
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'doctor'], { stdio, encoding: 'utf8' });
    closeSync(full);
    expect({ status, stderr }).toStrictEqual({
      status: 2,
      stderr: 'guardstripe-memory-pool: cannot write the answer: ENOSPC\n',
    });
  });

  it('ends quietly when nobody reads on', async () => {
    const child = spawn(process.execPath, [CLI, 'doctor'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let complaints = '';
    child.stderr.on('data', (chunk) => (complaints += String(chunk)));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(complaints).toBe('');
    expect(status).toBe(run(['doctor']).status);
  });
});
