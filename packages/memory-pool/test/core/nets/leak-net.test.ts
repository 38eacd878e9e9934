/** Memories that are dropped without being freed come back; in child processes, where the collector can be called. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'leak.mjs');

function run(...args: string[]): Record<string, unknown> {
  const child = spawnSync(process.execPath, ['--expose-gc', fixture, ...args], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`${child.signal ?? child.status}: ${child.stderr}`);
  return JSON.parse(child.stdout) as Record<string, unknown>;
}

const warning = {
  code: 'GUARDSTRIPE_MEMORY_LEAK',
  message: expect.stringContaining('was collected without being freed'),
};

describe('memories that are dropped with their store, without being freed', () => {
  it('come back reset, with one warning a pool that says how to learn more', () => {
    expect(run('memory')).toMatchObject({
      afterMemories: 0,
      right: 3,
      warnings: [{ ...warning, detail: expect.stringContaining('traceAllocations') }],
    });
  });

  it('are warned of with the place of its allocation, where that is traced', () => {
    const { warnings } = run('memory', 'trace');
    expect(warnings).toEqual([{ ...warning, detail: expect.stringContaining('allocateAndForget') }]);
    expect(warnings).toEqual([{ ...warning, detail: expect.stringContaining('leak.mjs') }]);
  });

  it('stay as long as their store can be reached, and come back with it', () => {
    expect(run('live-store')).toMatchObject({
      afterMemories: 3,
      withStore: 3,
      afterViews: 0,
      right: 3,
      warnings: [warning],
    });
  });

  it('keep their slots as long as somebody holds their buffers', () => {
    expect(run('view')).toMatchObject({
      afterMemories: 3,
      readable: [0xee, 0xee, 0xee],
      afterViews: 0,
      right: 3,
      warnings: [warning],
    });
  });

  it('leave the finalizers of others alone when their pool goes, too', () => {
    expect(run('dropped-pools')).toEqual({ heard: 3 });
  });

  it('keep the whole slab as long as somebody holds a buffer, even when the pool was dropped', () => {
    expect(run('all-but-view')).toEqual([0xee, 0xee, 0xee]);
  });
});
