import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { isSupported } from '../src/index.js';

import { fixtureJson } from './support/child.js';
import { WAYS } from './support/ways.js';

// In processes of their own, started with --expose-gc.
describe.each(sampled(WAYS))('lifetimes, %s', (method) => {
  it('an instance is collected while its snapshot lives, its table and its pages too', () => {
    expect(fixtureJson('collected.mjs', [method, 'instance'])).toEqual({
      collected: true,
      error: 'ERR_SNAPSHOT_TARGET_COLLECTED',
      changed: 'ERR_SNAPSHOT_TARGET_COLLECTED',
      fork: 5,
    });
  });

  it('a snapshot is collected while its instance lives, which goes on unharmed', () => {
    expect(fixtureJson('collected.mjs', [method, 'snapshot'])).toMatchObject({
      collected: true,
      bytes: [9, 5],
    });
  });

  it('restores, forks, pools and collections leave memory, mappings and descriptors flat', () => {
    const { before, after } = fixtureJson('flat.mjs', [
      method,
      String(method === 'copy' ? laps(20_000, 1000) : laps(200_000, 5000)),
    ]) as Record<'before' | 'after', { rss: number; mappings: number; descriptors: number }>;
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.mappings - before.mappings).toBeLessThan(64);
    expect(after.rss - before.rss).toBeLessThan(48 * 2 ** 20);
  });
});

describe('forks', () => {
  it('take no memory more, however often they are taken back and by whatever array they are named', () => {
    // 46 bytes a time once.
    const { grown } = fixtureJson('new-arrays.mjs', ['80000']) as { grown: number };
    expect(grown).toBeLessThan(2 * 2 ** 20);
  });

  it('stop being mapped before the process has too many mappings, and are copied then', () => {
    const { wrong, most, dropped, again } = fixtureJson('many-forks.mjs') as Record<string, number>;
    expect(wrong).toBe(0);
    // 400 forks of 46 places would take 36,800 of the usual 65,530.
    expect(most).toBeLessThan(34_000);
    expect(dropped).toBeLessThan(2000);
    if (isSupported('laid')) expect(again).toBeGreaterThan(20 * 46);
  });
});

describe('without WebAssembly', () => {
  it('says so, and loads', () => {
    expect(fixtureJson('jitless.mjs', [], ['--jitless'])).toEqual({
      supported: false,
      reason: 'this process has no WebAssembly (--jitless)',
      error: 'ERR_SNAPSHOT_UNSUPPORTED',
    });
  });
});

describe('in worker threads', () => {
  it('each restores its own instances; a shared memory is restored by one while the others rest', () => {
    expect(fixtureJson('workers.mjs')).toEqual({ own: [0, 0, 0, 0], shared: [1, 1, 1], left: 0 });
  });
});

describe('under what engines and hosts can be told', () => {
  const told = [
    ['--liftoff-only'],
    ['--no-liftoff'],
    ['--disable-wasm-trap-handler'],
    ['--permission', '--allow-fs-read=*', '--allow-worker'],
    ['--frozen-intrinsics'],
  ];

  it.for(sampled(told))('%s: the same bytes', (nodeArgs) => {
    expect(fixtureJson('same.mjs', WAYS, nodeArgs)).toMatchObject(WAYS.map(() => ({ wrong: 0 })));
  });
});
