import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { platform } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { HOST_PAGE, PAGE } from './support/memories.js';
import { needing, sampled } from '@guardstripe/test-support';

interface Ended {
  readonly signal: string | null;
  readonly stdout: string;
}

/** Reads bytes of the slab in a child process, at offsets from the second memory's start. */
function touch(offsets: readonly number[], ...how: readonly string[]): Ended {
  const fixture = join(import.meta.dirname, 'fixtures', 'touch.mjs');
  const { signal, stdout } = spawnSync(process.execPath, [fixture, offsets.join(), ...how], {
    encoding: 'utf8',
  });
  return { signal, stdout: stdout.trim() };
}

const WAYS: Record<string, readonly string[]> = { 'mappings without access': [] };
if (platform().canGuardPages) WAYS['guard markers'] = ['guarded'];

const why = platform().canGuardPages ? undefined : 'this kernel has no MADV_GUARD_INSTALL (Linux 6.13)';
it(
  'guard markers are tried',
  needing(why, () => {
    expect(WAYS).toHaveProperty('guard markers');
  }),
);

interface Scene {
  readonly name: string;
  readonly how: readonly string[];
  /** What is read there. */
  readonly inside: Readonly<Record<number, number>>;
  readonly outside: readonly number[];
}

/** From its end on: the rest of its slot, then the guard. */
const behind = (end: number): number[] => [end, 4 * PAGE - 1, 4 * PAGE, 5 * PAGE - 1];
/** Just before its start, and in the guard before it, past the first memory. */
const before = [-1, -3 * PAGE];

/**
 * Bounds of a memory with pages of one byte are the guest's to check, to the byte: what is accessible is whole host pages. Its last byte,
 * what its last host page has beyond that, and the last byte of that page.
 */
const inBytes = { [2 * PAGE + 1]: 66, [2 * PAGE + 2]: 0, [2 * PAGE + HOST_PAGE - 1]: 0 };

const SCENES: readonly Scene[] = [
  {
    name: 'its memory',
    how: [],
    inside: { 0: 66, [PAGE]: 66, [2 * PAGE - 1]: 66 },
    outside: [...behind(2 * PAGE), ...before],
  },
  {
    name: 'a memory in a slot whose last tenant was larger',
    how: ['reused'],
    inside: { 0: 66 },
    outside: behind(2 * PAGE),
  },
  {
    name: 'a memory that is sized in bytes',
    how: ['bytes'],
    inside: inBytes,
    outside: [2 * PAGE + HOST_PAGE],
  },
  {
    name: 'a memory that is sized in bytes, where the last tenant was larger',
    how: ['reused', 'bytes'],
    inside: inBytes,
    outside: [2 * PAGE + HOST_PAGE],
  },
  ...[
    { name: 'a memory after a growth', how: ['grown'], end: 3 * PAGE },
    { name: 'a memory after a growth that a reset took back', how: ['shrunk'], end: 2 * PAGE },
    { name: 'a memory after all pages were dropped', how: ['discarded'], end: 2 * PAGE },
    {
      name: 'a memory in a slot that was larger, after all pages were dropped',
      how: ['reused', 'discarded'],
      end: 2 * PAGE,
    },
  ].map(({ end, ...scene }) => ({ ...scene, inside: { [end - 1]: 66 }, outside: behind(end) })),
];

describe.each(Object.entries(WAYS))('where slots are closed by %s', (_, way) => {
  it.each(sampled(SCENES))(
    'the kernel reads $name for native code, and nothing outside',
    ({ how, ...scene }) => {
      const inside = Object.entries(scene.inside).map(([offset, byte]) => [Number(offset), byte] as const);
      const offsets = [...inside.map(([offset]) => offset), ...scene.outside];
      const expected = [...inside.map(([, byte]) => `read ${byte}`), ...scene.outside.map(() => 'EFAULT')];
      const { signal, stdout } = touch(offsets, ...way, ...how, 'asked');
      expect({ signal, found: stdout.split('\n') }).toEqual({ signal: null, found: expected });
    },
  );

  const touches = SCENES.flatMap(({ name, how, outside }) =>
    outside.map((offset) => ({ name, how, offset })),
  );

  it.each(sampled(touches))(
    'native code that reads at $offset, outside of $name, dies of SIGSEGV and prints nothing',
    ({ how, offset }) => {
      expect(touch([offset], ...way, ...how)).toEqual({ signal: 'SIGSEGV', stdout: '' });
    },
  );

  it('native code that reads the last byte of its memory goes on', () => {
    expect(touch([2 * PAGE - 1], ...way)).toEqual({ signal: null, stdout: 'read 66' });
  });

  it.skipIf(process.arch !== 'x64').each([
    ['in a forked child', ['forked'], 2 * PAGE],
    ['in a forked child, after a growth', ['grown', 'forked'], 3 * PAGE],
  ] as const)('%s: inside reads, past the end dies (skipped but on x86-64)', (_, how, end) => {
    const { signal, stdout } = touch([end - 1, end, 4 * PAGE - 1], ...way, ...how);
    expect({ signal, stdout }).toEqual({ signal: null, stdout: 'read 66\nSIGSEGV\nSIGSEGV' });
  });
});
