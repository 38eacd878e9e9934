/** Traps by the ten thousand, each in a fresh instance, leave nothing behind. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { laps } from '@guardstripe/test-support';
import { assert, expect, it } from 'vitest';
import { describeGuests, guests } from './support/prepared.ts';
import type { ProcessState } from './support/process-state.ts';

const CHILD = join(import.meta.dirname, 'fixtures', 'many-traps.ts');
const LAPS = 5;
const TRAPS_PER_LAP = laps(20_000, 2000);

interface Held extends ProcessState {
  /** By malloc, and not freed. */
  readonly allocatedBytes: number;
  readonly traps: number;
  readonly blocked: string;
  readonly liveMemories: number;
  readonly failedResets: number;
}

/**
 * How much it grew in the lap in which it grew least. V8's heap and malloc take megabytes and dozens of mappings now and then,
 * and give them back; what is leaked grows in every lap.
 */
function leastGrowth(states: readonly Held[], what: 'allocatedBytes' | 'residentBytes' | 'mappings'): number {
  const growth = states.slice(1).map((state, lap) => state[what] - states[lap]![what]);
  return Math.min(...growth);
}

describeGuests(`${LAPS * TRAPS_PER_LAP} traps`, () => {
  it('leak no memory, no mapping, no descriptor and no blocked signal', () => {
    const folder = mkdtempSync(join(tmpdir(), 'native-guest-'));
    const prepared = join(folder, 'prepared.json');
    writeFileSync(prepared, JSON.stringify(guests()));
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      // A small nursery: else V8's heap takes 120 MiB before it settles, and hides everything.
      ['--expose-gc', '--max-semi-space-size=2', CHILD, prepared, String(LAPS), String(TRAPS_PER_LAP)],
      { encoding: 'utf8' },
    );
    rmSync(folder, { recursive: true });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const states = JSON.parse(stdout) as readonly Held[];
    const [before, after] = [states[0], states.at(-1)];
    assert(before !== undefined && after !== undefined);

    expect(after.traps - before.traps).toBe(LAPS * TRAPS_PER_LAP);
    expect(after).toMatchObject({
      liveMemories: before.liveMemories,
      failedResets: 0,
      blocked: before.blocked,
    });
    expect(after.descriptors).toBe(before.descriptors);
    // An instance is some 80 bytes: one that each trap leaked would be 400 KB a lap of 5000.
    expect(leastGrowth(states, 'allocatedBytes')).toBeLessThan(2 ** 18);
    expect(leastGrowth(states, 'residentBytes')).toBeLessThan(2 ** 20);
    expect(leastGrowth(states, 'mappings')).toBeLessThan(20);
  });
});
