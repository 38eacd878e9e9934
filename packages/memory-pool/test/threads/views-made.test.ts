/** koffi ends the process if a worker is terminated while it makes a view. So what a thread does again and again with a pool asks for none. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'views-made.mjs');

it('a worker makes its few views when it attaches, and then none, whatever modules, slots and sizes come, but what its user asks for', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE, 'worker']);
  const { atStart, ...later } = JSON.parse(stdout) as { atStart: number };
  // The words that all threads share, and the thread's ledger.
  expect(atStart).toBe(2);
  expect(later).toEqual({ inFive: 0, inTwenty: 0, unsafe: 1 });
});
