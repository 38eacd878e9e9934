import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOST_PAGE, PAGE } from './support/memories.js';

/** Reads one byte of the slab in a child process, `offset` bytes from the second memory's start. */
function touch(offset: number, ...how: string[]): { signal: string | null; stdout: string } {
  const child = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'fixtures', 'touch.mjs'), String(offset), ...how],
    {
      encoding: 'utf8',
    },
  );
  return { signal: child.signal, stdout: child.stdout.trim() };
}

describe('native code that reads', () => {
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
});
