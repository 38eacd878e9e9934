import { readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { SystemError } from '../../../../src/index.js';
import {
  addSeals,
  closeDescriptor,
  openDescriptor,
} from '../../../../src/platform/linux/files/descriptor.js';
import { createMemoryFile } from '../../../../src/platform/linux/files/memory-file.js';

const NO_DESCRIPTOR = 2 ** 30;
const F_SEAL_SEAL = 0x1;

/** What the system refuses is told with the call and what it was about. */
const REFUSALS: Record<string, [call: () => unknown, told: object, message: RegExp]> = {
  'a path that is not there': [
    () => openDescriptor('/nowhere/at/all', 0),
    { syscall: 'open', code: 'ENOENT' },
    /\/nowhere\/at\/all/,
  ],
  'a directory, for writing': [
    () => openDescriptor('/proc', 1),
    { syscall: 'open', code: 'EISDIR' },
    /\/proc/,
  ],
  'closing what is not open': [
    () => closeDescriptor(NO_DESCRIPTOR),
    { syscall: 'close', code: 'EBADF' },
    /1073741824/,
  ],
  'sealing what is not open': [
    () => addSeals(NO_DESCRIPTOR, 3),
    { syscall: 'fcntl', code: 'EBADF' },
    /seals 0x3/,
  ],
};

describe('descriptors', () => {
  it.each(Object.entries(REFUSALS))('%s is refused, and nothing stays open', (_, [call, told, message]) => {
    const before = readdirSync('/proc/self/fd').length;
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SystemError);
    expect(error).toMatchObject(told);
    expect((error as SystemError).message).toMatch(message);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('that are sealed against further seals take none', () => {
    const fd = createMemoryFile('sealed');
    try {
      addSeals(fd, F_SEAL_SEAL);
      expect(() => addSeals(fd, 2)).toThrow(expect.objectContaining({ code: 'EPERM' }) as Error);
    } finally {
      closeDescriptor(fd);
    }
    expect(() => closeDescriptor(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }) as Error);
  });
});
