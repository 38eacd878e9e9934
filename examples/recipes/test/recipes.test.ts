/** Each recipe, as a user runs it: exit code 0, nothing on standard error, and what its output says. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSupported } from '@guardstripe/mpk';
import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { ByteTable } from '../src/byte-table.ts';

const FOLDER = join(import.meta.dirname, '..');

/** What the output of each must have in it, in this order, whatever the clock says. */
const RECIPES: Readonly<Record<string, readonly (RegExp | string)[]>> = {
  'database-reset.ts': [/pass 6$/m, /fail 0$/m, /fixture: 10000 users in 1048576 bytes/, /resets: +6,/],
  'gpu-slots.ts': [/^with affinity +5\d\.\d % .* loads/m, /^without +5\.\d % .* loads/m],
  'guard-pages.ts': [
    'plain buffer\n',
    'calling strcpy',
    'strcpy returned; the name is Guardstripe 0001\n',
    String.raw`the neighbour was "PAID" and is "\u0000AID"`,
    'ended with exit code 0: nobody noticed\n',
    /guarded buffer\n +calling strcpy.*\n +ended by SIGSEGV, inside strcpy\n$/,
  ],
  'native-tenants.ts': [/9 served, 1 gave up, 1 refused\n/, /live memories at the end: 0, in 3 slots\n$/],
  'secret-page.ts': [
    isSupported()
      ? /^keys +this machine has protection keys/
      : /^keys +none: .*\n.*with keys, sign\(\) would/,
    /^inside .*, again the same: true$/m,
    /^outside +writing it to standard output fails with EFAULT$/m,
    /^outside +JavaScript that reads one byte of it ends the process by SIGSEGV$/m,
  ],
  'which-error.ts': [
    /^one more than there are slots +busy /m,
    /^waiting, where nobody may wait +busy /m,
    /^closing while memories are live +busy /m,
    /^growing past .* refused /m,
    /^a module too large .* refused /m,
    /^an argument that is none +bug +TypeError /m,
    ...['growing what was freed', 'a store', 'a module', 'a pool'].map(
      (what) => new RegExp(`^${what}.* gone `, 'm'),
    ),
    ...(isSupported()
      ? [/^giving back a key .* busy +KeyInUseError /m, /^a key .* gone +KeyReleasedError /m]
      : []),
    /^a map .* gone /m,
  ],
  'working-set.ts': [
    /^writes to 16 pages .* µs .* µs +[\d.]+ +all bytes right$/m,
    /^reads all, writes to 16 pages .* all bytes right$/m,
  ],
};

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.ts') && !name.includes('.config.'));

function run(name: string) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(process.execPath, [join(FOLDER, name)], { encoding: 'utf8', env });
}

describe('the recipes', () => {
  it('are all listed here', () => {
    expect(Object.keys(RECIPES).toSorted()).toEqual(files.toSorted());
  });

  it.each(files)('%s has fewer than a hundred lines', (name) => {
    expect(readFileSync(join(FOLDER, name), 'utf8').split('\n').length - 1).toBeLessThan(100);
  });

  it.each(sampled(Object.entries(RECIPES)))('%s runs, and says what it must', (name, facts) => {
    const { status, stdout, stderr } = run(name);
    expect(stderr).toBe('');
    let rest = stdout;
    for (const fact of facts) {
      const at = typeof fact === 'string' ? rest.indexOf(fact) : rest.search(fact);
      expect(at, `${String(fact)} in\n${stdout}`).toBeGreaterThanOrEqual(0);
      rest = rest.slice(at);
    }
    expect(status).toBe(0);
  });
});

describe('native-tenants.ts', () => {
  it("sorts every tenant's own words, and refuses the greedy one", () => {
    const { stdout } = run('native-tenants.ts');
    for (let tenant = 0; tenant < 9; tenant += 1) {
      const words = ['pear', 'fig', 'apple', 'quince', 'cherry'].slice(tenant % 5);
      const sorted = [...words, `number ${tenant}`].toSorted().join(' ');
      expect(stdout).toMatch(new RegExp(`^tenant ${tenant} +slot [012]: ${sorted}$`, 'm'));
    }
    expect(stdout).toMatch(/^impatient +gave up waiting for a slot$/m);
    expect(stdout).toMatch(/^greedy +ERR_MEMORY_LIMIT: /m);
  });
});

describe('ByteTable', () => {
  it('is like a Map, and its bytes are all of it', () => {
    const buffer = new ArrayBuffer(2 ** 20);
    const table = new ByteTable(buffer);
    const model = new Map<string, string>();
    for (let step = 0; step < 5_000; step += 1) {
      const [key, value] = [`ключ ${(step * 7) % 1_200}`, `value ${step}`];
      table.set(key, value);
      model.set(key, value);
    }
    const copy = new ByteTable(buffer.slice());
    expect(copy.rows).toBe(model.size);
    for (const [key, value] of model) expect(copy.get(key)).toBe(value);
    expect(copy.get('no such key')).toBeUndefined();
  });

  it('refuses what does not fit, and stays as it was', () => {
    const table = new ByteTable(new ArrayBuffer(65_536 + 64));
    table.set('a', '1');
    expect(() => table.set('b', 'x'.repeat(100))).toThrow(RangeError);
    expect(table.rows).toBe(1);
    expect(table.get('b')).toBeUndefined();
  });
});
