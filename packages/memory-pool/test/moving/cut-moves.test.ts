/** What a `release()` or an `adopt()` keeps that is cut short when its work is done: nobody has it until its thread leaves. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'cut-moves.mjs');

it.each([
  { how: 'close', whose: 'own' },
  { how: 'end', whose: 'other' },
])(
  'a store whose release or adopt was cut short is counted, had by nobody, and back when its thread leaves: $how, $whose',
  async ({ how, whose }) => {
    const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE, how, whose]);
    const cut = 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    expect(JSON.parse(stdout)).toEqual({
      told: { codes: [cut, cut], again: 'ERR_STORE_TOKEN', released: true },
      before: { slots: 2, bytes: [0], liveMemories: 5, inFlightMemories: 3 },
      busy: 'ERR_POOL_BUSY',
      after: { slots: 7, bytes: [0], liveMemories: 0, inFlightMemories: 0 },
    });
  },
);
