/** A hundred thousand traps, each in a fresh instance, leave nothing behind. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeGuests, guests } from './support/prepared.ts';
import type { ProcessState } from './support/process-state.ts';

const CHILD = join(import.meta.dirname, 'fixtures', 'many-traps.ts');
const NUM_TRAPS = 100_000;

interface Held extends ProcessState {
  /** By malloc, and not freed. */
  readonly allocatedBytes: number;
  readonly traps: number;
  readonly blocked: string;
  readonly liveMemories: number;
  readonly failedResets: number;
}

describeGuests('100,000 traps', () => {
  it('leak no memory, no mapping, no descriptor and no blocked signal', () => {
    const folder = mkdtempSync(join(tmpdir(), 'native-guest-'));
    const prepared = join(folder, 'prepared.json');
    writeFileSync(prepared, JSON.stringify(guests()));
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      // A small nursery: else V8's heap takes 120 MiB before it settles, and hides everything.
      ['--expose-gc', '--max-semi-space-size=2', CHILD, prepared, String(NUM_TRAPS)],
      { encoding: 'utf8' },
    );
    rmSync(folder, { recursive: true });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const { before, after } = JSON.parse(stdout) as { before: Held; after: Held };

    expect(after.traps - before.traps).toBe(NUM_TRAPS);
    expect(after).toMatchObject({
      liveMemories: before.liveMemories,
      failedResets: 0,
      blocked: before.blocked,
    });
    expect(after.descriptors).toBe(before.descriptors);
    // An instance is some 80 bytes: one that each trap leaked would be 8 MB.
    expect(after.allocatedBytes - before.allocatedBytes).toBeLessThan(2 ** 20);
    // V8's heap maps 256 KiB at a time: dozens of mappings come and go with it. A leak would be one a trap, or one a lap.
    expect(after.mappings - before.mappings).toBeLessThan(NUM_TRAPS / 200);
    expect(after.residentBytes - before.residentBytes).toBeLessThan(16 * 2 ** 20);
  });
});
