/** Pages that a tenant locked: mlock(2) makes the kernel refuse to drop them (EINVAL of MADV_DONTNEED). */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { platform } from '@guardstripe/mmap';
import { expect, it } from 'vitest';

it.each(['disable', 'auto', ...(platform().canGuardPages ? ['enable'] : [])])(
  'locked pages, guard markers %s: the next tenant starts with its image and zeros, though dropping was refused',
  (guardPages) => {
    const fixture = join(import.meta.dirname, 'fixtures', 'locked.mjs');
    const printed = execFileSync(process.execPath, [fixture, guardPages], { encoding: 'utf8' });
    expect(JSON.parse(printed)).toEqual([
      { numWrong: 0, refused: true },
      { numWrong: 0, refused: true },
      { numWrong: 0, refused: false },
    ]);
  },
);
