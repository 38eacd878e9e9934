/** What the guide and the README say about threads, file operations and signals, each in a fresh process. */
import { platform } from '@guardstripe/mmap';
import { expect, it } from 'vitest';
import { fixtureJson } from './support/child.js';
import { describeWithKeys } from './support/with-keys.js';

const OPEN = 0b00;
const CLOSED = 0b01;
const { pageSize } = platform();

describeWithKeys('threads', () => {
  it('start with the register of the thread that makes them; those before keep their own', () => {
    expect(fixtureJson('threads.mjs')).toEqual({
      before: [CLOSED, CLOSED, CLOSED],
      whileOpen: [OPEN, OPEN, OPEN],
      whileNarrow: [CLOSED, OPEN, CLOSED].map((rights) => (rights === OPEN ? OPEN : expect.any(Number))),
      here: [OPEN, expect.any(Number), expect.any(Number)],
      whileOpenAfterwards: [OPEN, OPEN, OPEN],
    });
  });
});

describeWithKeys('file operations', () => {
  const always = {
    readSync: pageSize,
    readSyncClosed: 'EFAULT',
    writeSyncClosed: 'EFAULT',
    readOrdinary: pageSize,
  };

  it('on pool threads that were there before the keys cannot reach coloured memory', () => {
    expect(fixtureJson('io.mjs', ['threads-first'])).toMatchObject({
      ...always,
      read: 'EFAULT',
      readPromise: 'EFAULT',
      readWhileClosedHere: 'EFAULT',
    });
  });

  it('on pool threads that started with the keys open can, whatever this thread has closed', () => {
    expect(fixtureJson('io.mjs', ['keys-first'])).toMatchObject({
      ...always,
      read: pageSize,
      readPromise: pageSize,
      readWhileClosedHere: pageSize,
    });
  });
});

describeWithKeys('a signal', () => {
  it('that is handled leaves the register as it was', () => {
    const { before, after, inListener } = fixtureJson('signal.mjs') as Record<string, number[]>;
    expect(before?.map((rights) => rights === OPEN)).toEqual([false, true, false]);
    expect(after).toEqual(before);
    expect(inListener).toEqual(before);
  });
});
