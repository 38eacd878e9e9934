/**
 * koffi ends the process if a worker is terminated while koffi asks Node for something that takes running JavaScript: to make a view,
 * above all. So what a thread does again and again with a pool must not ask for one.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

async function answerOf(fixture: string, argument: string): Promise<unknown> {
  const file = join(import.meta.dirname, '..', 'fixtures', fixture);
  const { stdout } = await promisify(execFile)(process.execPath, [file, argument]);
  return JSON.parse(stdout);
}

describe('a worker', () => {
  it('makes its few views when it attaches, and then none, whatever modules, slots and sizes come, but what its user asks for', async () => {
    const { atStart, ...later } = (await answerOf('views-made.mjs', 'worker')) as { atStart: number };
    // The words that all threads share, the thread's ledger, and what a probe of the system looks at.
    expect(atStart).toBeLessThanOrEqual(3);
    expect(later).toEqual({ inFive: 0, inTwenty: 0, unsafe: 1 });
  });

  // By hand with more: `node cut-anywhere.mjs '{"laps":2000,"atOnce":4,"shared":true}'`
  it.each([true, false])(
    'can be terminated at any instant behind its start, its pool shared: %s',
    async (shared) => {
      // In one pool more, one after another, than can have it at a time.
      const numLaps = laps(shared ? 1200 : 150, 40);
      expect(
        await answerOf('cut-anywhere.mjs', JSON.stringify({ laps: numLaps, atOnce: 4, shared })),
      ).toEqual({
        laps: numLaps,
        free: 40,
      });
    },
  );
});
