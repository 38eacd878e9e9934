/** Other images that the range holds already: what was written before counts no more, and a watch goes on. */
import { describe, expect, it } from 'vitest';

import { Mmap, PageRestorer, platform, type RestoreStrategy } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';

const { pageSize } = platform();
const STRATEGIES = (['scan', 'watch', 'copy', 'drop'] as const).filter((strategy) =>
  PageRestorer.isSupported(strategy),
);
const CHOICES: readonly (readonly RestoreStrategy[])[] = [...STRATEGIES.map((each) => [each]), STRATEGIES];
const NUM_PAGES = 20;

describe.each(CHOICES)('setImages of what the range holds, %s', (...strategies) => {
  it('goes back to that from then on', () => {
    using map = Mmap.anonymous(NUM_PAGES * pageSize);
    const bytes = new Uint8Array(map.view());
    using restorer = new PageRestorer({ map }, { strategies, clean: true });
    const wasWatching = restorer.watching;
    bytes.fill(5, 8 * pageSize, 10 * pageSize);
    const now = Uint8Array.from(bytes);
    restorer.setImages([{ offset: 0, bytes: now, mapped: false }], { clean: true });
    expect(restorer.watching).toBe(wasWatching);
    if (wasWatching) expect(restorer.changedBytes()).toBe(0);
    for (let round = 0; round < 3; round++) {
      bytes.fill(6 + round, 9 * pageSize, 12 * pageSize);
      restorer.restore();
      expect(Buffer.compare(bytes, now)).toBe(0);
    }
  });
});

it.skipIf(!PageRestorer.isSupported('watch'))(
  'keeps the watch that there is, or ends it if it is refused',
  () => {
    const system = new FaultyMemory();
    const { virtualMemory } = system;
    using map = Mmap.anonymous(NUM_PAGES * pageSize);
    const bytes = new Uint8Array(map.view());
    using restorer = new PageRestorer({ map }, { strategies: ['watch'], clean: true, virtualMemory });
    system.fail('watchWrites', 'unwatchWrites');
    bytes.fill(1, 0, pageSize);
    restorer.setImages([{ offset: 0, bytes: bytes.slice(), mapped: false }], { clean: true });
    expect(restorer.watching).toBe(true);
    system.fail('protectWrittenPages');
    bytes.fill(2, 0, pageSize);
    const now = bytes.slice();
    restorer.setImages([{ offset: 0, bytes: now, mapped: false }], { clean: true });
    expect(restorer.watching).toBe(false);
    system.heal();
    bytes.fill(3);
    restorer.restore();
    expect(Buffer.compare(bytes, now)).toBe(0);
  },
);
