/** KSM with `use_zero_pages`: zeros that were written over an image look like pages that nobody touched. */

import { accessSync, constants, existsSync } from 'node:fs';

import { expect, it } from 'vitest';

import { PageScanner, platform } from '../src/index.js';
import { fixtureJson } from './support/child.js';

const { pageSize } = platform();

/** Only root may switch it on, and a kernel may be without. */
function obstacle(): string | undefined {
  if (!existsSync('/proc/self/ksm_stat'))
    return 'this kernel has no KSM that tells what it merged (Linux 6.4)';
  try {
    accessSync('/sys/kernel/mm/ksm/run', constants.W_OK);
    return undefined;
  } catch {
    return 'KSM cannot be switched on: that takes root';
  }
}

const why = obstacle();

it.runIf(why === undefined).each(['advise', 'process'])(
  `KSM (by %s): merged zeros over an image count as written, and the image comes back${why === undefined ? '' : ` (skipped: ${why})`}`,
  (how) => {
    const dirty = PageScanner.isSupported()
      ? [{ offset: 2 * pageSize, byteLength: 3 * pageSize }]
      : 'cannot be scanned';
    expect(fixtureJson('ksm.mjs', [how])).toEqual({ merged: true, dirty, restored: true });
  },
);
