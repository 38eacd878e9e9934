/** What threads do in the stripes of one pool. In child processes. */
import { expect, it } from 'vitest';
import { KILLS, QUIET, storm } from '../support/storm.js';
import { describeWithKeys } from '../support/striped.js';

/** Three stripes. */
const CONFIG = { memoryProtectionKeys: 'enable', memoryReservation: 9 * 65_536, totalMemories: 24 } as const;

describeWithKeys('workers in stripes that look for strangers in every memory', () => {
  it('find none, nor where they are killed', async () => {
    expect(await storm({ seed: 5, workers: 4, rounds: 300, kills: 0, config: CONFIG })).toEqual({
      ...QUIET,
      killed: 0,
      slots: 24,
    });
    expect(await storm({ seed: 6, workers: 3, rounds: 1, kills: KILLS, config: CONFIG })).toEqual({
      ...QUIET,
      killed: KILLS,
      slots: 24,
    });
  });
});
