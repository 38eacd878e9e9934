/**
 * koffi ends the process if a worker is terminated while koffi asks Node for something that takes running JavaScript: to make a view,
 * above all. So what a thread does again and again with a pool must not ask for one.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'cut-anywhere.mjs');

async function answerOf(argument: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE, argument]);
  return JSON.parse(stdout);
}

describe('a worker', () => {
  // By hand with more: `node cut-anywhere.mjs '{"laps":2000,"atOnce":4,"shared":true}'`
  it.each(sampled([true, false]))(
    'can be terminated at any instant behind its start, its pool shared: %s',
    async (shared) => {
      // In one pool more, one after another, than can have it at a time.
      const numLaps = laps(shared ? 1200 : 150, 16);
      expect(await answerOf(JSON.stringify({ laps: numLaps, atOnce: 4, shared }))).toEqual({
        laps: numLaps,
        free: 40,
      });
    },
  );
});
