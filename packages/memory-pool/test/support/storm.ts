/** Workers with one pool that look for strangers in every memory, some of which are killed. In a child process. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps } from '@guardstripe/test-support';
import { expect } from 'vitest';

export const KILLS = laps(50, 4);

export interface Storm {
  readonly seed: number;
  readonly workers: number;
  readonly rounds: number;
  readonly kills: number;
  /** Of the pool. */
  readonly config: Readonly<Record<string, unknown>>;
}

export async function storm(options: Storm): Promise<unknown> {
  const fixture = join(import.meta.dirname, '..', 'fixtures', 'shared-pool.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [fixture, JSON.stringify(options)]);
  return JSON.parse(stdout);
}

/** Heaps and stacks that Node keeps for the next threads, however many there were: a thousand by hand stay below that, too. */
const MOST_MAPPINGS = 900;

/** What it prints where nothing was found, and nothing left. */
export const QUIET = {
  errors: [],
  liveMemories: 0,
  retiredMemories: 0,
  moreDescriptors: [],
  moreReserved: 0,
  moreMappings: expect.toSatisfy((more: number) => more < MOST_MAPPINGS) as unknown,
  moreResidentMiB: expect.any(Number) as unknown,
};
