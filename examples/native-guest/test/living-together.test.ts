/** The bridge's handler beside Node's own: crashes, reports, flags, other people's handlers. Each in a child process. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampled } from '@guardstripe/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeGuests, guests } from './support/prepared.ts';

const CHILD = join(import.meta.dirname, 'fixtures', 'living-together.ts');
const TRAPPED = 'traps are over\n';

describeGuests('beside Node', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'native-guest-'));
    writeFileSync(join(folder, 'prepared.json'), JSON.stringify(guests()));
  });
  afterAll(() => folder !== undefined && rmSync(folder, { recursive: true, force: true }));

  const child = (deed: string, ...flags: string[]) => {
    const { stdout, stderr, signal, status } = spawnSync(
      process.execPath,
      [...flags, CHILD, join(folder, 'prepared.json'), deed],
      { encoding: 'utf8', cwd: folder, timeout: 110_000 },
    );
    return { stdout, stderr, signal, status };
  };

  const crashes = [
    'crash in the host',
    'crash in a guest',
    'crash in the slab, unguarded',
    'crash in the slab, in a host function',
    'a sent SIGSEGV',
  ];

  it.each(sampled(crashes))('%s kills the process with SIGSEGV, as ever', (deed) => {
    expect(child(deed)).toMatchObject({ stdout: TRAPPED, signal: 'SIGSEGV' });
    expect(child(deed, '--disable-wasm-trap-handler')).toMatchObject({ stdout: TRAPPED, signal: 'SIGSEGV' });
  });

  it('V8 catches the traps of its own guests', () => {
    for (const flags of sampled([[], ['--disable-wasm-trap-handler'], ['--abort-on-uncaught-exception']])) {
      expect(child('V8 traps', ...flags)).toMatchObject({ stdout: `${TRAPPED}RuntimeError\n`, status: 0 });
    }
  });

  it('--abort-on-uncaught-exception aborts on a trap that nobody catches, and on no other', () => {
    expect(child('caught traps', '--abort-on-uncaught-exception')).toMatchObject({
      stdout: `${TRAPPED}alive\n`,
      status: 0,
    });
    const aborted = child('uncaught trap', '--abort-on-uncaught-exception');
    expect(aborted.signal).toMatch(/^SIG(?:ABRT|TRAP|ILL)$/);
    expect(aborted.stderr).toContain('memory access out of bounds');
  });

  it('an uncaught trap ends the process like any other error', () => {
    const { status, stderr } = child('uncaught trap');
    expect(status).toBe(1);
    expect(stderr).toContain(
      'TrapError: memory access out of bounds: the guest in slot 0 (stripe 0) read 0x',
    );
    expect(stderr).toContain("code: 'ERR_GUEST_TRAP'");
  });

  it('diagnostic reports are written', () => {
    expect(child('a report')).toMatchObject({ stdout: `${TRAPPED}JavaScript API\n`, status: 0 });
    expect(child('uncaught trap', '--report-uncaught-exception').status).toBe(1);
    const report = readdirSync(folder).find((name) => name.startsWith('report.'));
    const { javascriptStack } = JSON.parse(readFileSync(join(folder, report ?? ''), 'utf8')) as {
      javascriptStack: { message: string };
    };
    expect(javascriptStack.message).toContain('TrapError: memory access out of bounds');
  });

  it('a handler that was there before hears of what is not ours', () => {
    expect(child('a handler from before')).toMatchObject({ stdout: `${TRAPPED}1\n`, status: 0 });
  });

  it('says when somebody has put a handler before it', () => {
    expect(child('a handler from after')).toMatchObject({
      stdout: `${TRAPPED}true, then false\n`,
      status: 0,
    });
    expect(child('a listener for SIGSEGV').stdout).toBe(`${TRAPPED}false\n`);
  });
});
