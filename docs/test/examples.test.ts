/** The code in the Markdown pages is run, so that a reader who copies it gets what the page says. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sampled } from '@guardstripe/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCodeBlocks, findCommands } from '../site/code-blocks.js';

const docs = join(import.meta.dirname, '..');
const root = join(docs, '..');
const scratch = join(docs, 'out', 'examples');
const blocks = findCodeBlocks(root);

/** Its code needs wasm2c and gcc, so `examples/native-guest` runs it among its own tests. */
const RUN_BY_ITS_EXAMPLE = 'docs/guides/native-guests.md';

beforeAll(() => mkdirSync(scratch, { recursive: true }));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the examples in the documentation', () => {
  const examples = blocks.filter(({ language, page }) => language === 'ts' && page !== RUN_BY_ITS_EXAMPLE);

  it('are found', () => {
    expect(examples.length).toBeGreaterThan(3);
  });

  /** Before the code of a page is run: what the page has the reader compile. */
  const obstacleOf = (page: string): string | undefined => {
    const ofPage = blocks.filter((block) => block.page === page);
    const source = ofPage.find(({ language }) => language === 'c');
    const command = ofPage.flatMap(({ code }) => /^cc .+$/m.exec(code)?.[0] ?? [])[0];
    if (source === undefined || command === undefined) return undefined;
    const name = /^\/\/ (\S+\.c)$/m.exec(source.code)?.[1];
    if (name === undefined) throw new Error(`${page}: the first line of the C code does not name its file`);
    writeFileSync(join(scratch, name), source.code);
    const [cc = '', ...args] = command.split(' ');
    const { status, error, stderr } = spawnSync(cc, args, { cwd: scratch, encoding: 'utf8' });
    if (error !== undefined) return `there is no C compiler (${error.message})`;
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return undefined;
  };

  it.for(sampled(examples))('runs as it stands: $where', ({ where, code, page }, context) => {
    const obstacle = code.includes('koffi') ? obstacleOf(page) : undefined;
    if (obstacle !== undefined) {
      if (process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1') throw new Error(obstacle);
      context.skip(obstacle);
    }
    const file = join(scratch, `${where.replaceAll(/\W+/g, '-')}.ts`);
    writeFileSync(file, code);
    // A thrown error, a failed assertion or a crash fails the test with what the program printed.
    const run = (): string =>
      execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
        cwd: scratch,
        encoding: 'utf8',
      });
    expect(run).not.toThrow();
  });

  it('are all fenced as ts, the one language that is run', () => {
    const others = blocks.filter(({ language }) =>
      /^(?:[cm]?js|[cm]ts|[jt]sx|javascript|typescript)$/.test(language),
    );
    expect(others.map(({ where }) => where)).toEqual([]);
  });

  it('say their language, pictures too', () => {
    expect(blocks.filter(({ language }) => language === '').map(({ where }) => where)).toEqual([]);
  });
});

describe('the commands in the documentation', () => {
  const commands = findCommands(root);
  const ours = commands.filter((command) => command.startsWith('npx '));

  it('are found', () => {
    expect(ours.length).toBeGreaterThan(3);
  });

  it.each(ours)('runs as it stands: %s', (command) => {
    const [, name = '', ...words] = command.split(/\s+/);
    const folder = join(root, 'packages', name.replace('@guardstripe/', ''));
    const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    const [program = ''] = Object.values(bin);
    const json = blocks.find(({ page, language }) => page.includes('layout') && language === 'json');
    writeFileSync(join(scratch, 'pool.json'), json?.code ?? '');
    const { status, stderr } = spawnSync(process.execPath, [join(folder, program), ...words], {
      cwd: scratch,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    // 1 and 3 are answers: this host, or the one in the example, cannot have that pool.
    expect([0, 1, 3]).toContain(status);
  });

  it.each(commands.filter((command) => command.startsWith('node ')))(
    'names a program that is there: %s',
    (command) => {
      const [, program = ''] = command.split(' ');
      expect(program.includes('<') || existsSync(join(root, program))).toBe(true);
    },
  );
});
