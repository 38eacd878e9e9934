import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { platform } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { HOST_PAGE, PAGE } from './support/memories.js';
import { needing } from '@guardstripe/test-support';

/** Reads one byte of the slab in a child process, `offset` bytes from the second memory's start. */
function touchOne(offset: number, ...how: string[]): { signal: string | null; stdout: string } {
  const child = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'fixtures', 'touch.mjs'), String(offset), ...how],
    {
      encoding: 'utf8',
    },
  );
  return { signal: child.signal, stdout: child.stdout.trim() };
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

describe.each(Object.entries(WAYS))('native code that reads, where slots are closed by %s', (_, way) => {
  const touch = (offset: number, ...how: string[]) => touchOne(offset, ...way, ...how);

  it.each([0, PAGE, 2 * PAGE - 1])('inside its memory, at %d, reads its own byte', (offset) => {
    expect(touch(offset)).toEqual({ signal: null, stdout: 'read 66' });
  });

  it.each([
    ['just past its end', 2 * PAGE],
    ['in the reservation', 4 * PAGE - 1],
    ['at the start of the guard', 4 * PAGE],
    ['at the end of the guard', 5 * PAGE - 1],
    ['just before its start', -1],
    ['far before its start, past the first memory', -3 * PAGE],
  ])('%s, at %d, dies of SIGSEGV and prints nothing', (_, offset) => {
    expect(touch(offset)).toEqual({ signal: 'SIGSEGV', stdout: '' });
  });

  it.each([
    ['just past its end', 2 * PAGE],
    ['at the end of what the slot was before', 4 * PAGE - 1],
  ])('%s, at %d, of a slot whose last tenant was larger, dies as well', (_, offset) => {
    expect(touch(0, 'reused')).toEqual({ signal: null, stdout: 'read 66' });
    expect(touch(offset, 'reused')).toEqual({ signal: 'SIGSEGV', stdout: '' });
  });

  // Bounds of a memory with pages of one byte are the guest's to check, to the byte: what is accessible is whole host pages.
  it.each([
    ['its last byte', 2 * PAGE + 1, 'read 66'],
    ['what its last host page has beyond that', 2 * PAGE + 2, 'read 0'],
    ['the last byte of that page', 2 * PAGE + HOST_PAGE - 1, 'read 0'],
  ])('%s, at %d, of a memory that is sized in bytes, reads it', (_, offset, stdout) => {
    expect(touch(offset, 'bytes')).toEqual({ signal: null, stdout });
    expect(touch(offset, 'reused', 'bytes')).toEqual({ signal: null, stdout });
  });

  it('behind the last host page of a memory that is sized in bytes dies as well', () => {
    for (const how of [['bytes'], ['reused', 'bytes']])
      expect(touch(2 * PAGE + HOST_PAGE, ...how)).toEqual({ signal: 'SIGSEGV', stdout: '' });
  });

  it.each([
    ['after a growth', ['grown'], 3 * PAGE],
    ['after a growth that a reset took back', ['shrunk'], 2 * PAGE],
    ['after all pages were dropped', ['discarded'], 2 * PAGE],
    ['in a slot that was larger, after all pages were dropped', ['reused', 'discarded'], 2 * PAGE],
  ] as const)('%s: inside reads, past the end dies', (_, how, end) => {
    expect(touch(end - 1, ...how)).toEqual({ signal: null, stdout: 'read 66' });
    for (const offset of [end, 4 * PAGE - 1, 4 * PAGE, 5 * PAGE - 1])
      expect(touch(offset, ...how)).toEqual({ signal: 'SIGSEGV', stdout: '' });
  });

  it.skipIf(process.arch !== 'x64').each([
    ['in a forked child', ['forked'], 2 * PAGE],
    ['in a forked child, after a growth', ['grown', 'forked'], 3 * PAGE],
  ] as const)('%s: inside reads, past the end dies (skipped but on x86-64)', (_, how, end) => {
    expect(touch(end - 1, ...how)).toEqual({ signal: null, stdout: 'read 66' });
    for (const offset of [end, 4 * PAGE - 1])
      expect(touch(offset, ...how)).toEqual({ signal: null, stdout: 'SIGSEGV' });
  });
});
