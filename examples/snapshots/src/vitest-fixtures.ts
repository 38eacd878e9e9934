/** A helper for vitest: whatever a test does to an instance, the next one finds it as it was. */
import { snapshot, type Snapshot, type SnapshotTarget } from '@guardstripe/snapshot';
import { afterAll, afterEach, beforeAll } from 'vitest';

/**
 * Call it in a file or a `describe`. `prepare` runs once, before its tests, and returns what to take the snapshot of; after each test
 * that is restored. Finish with statements and handles of a test before it ends: restored memory knows nothing of them.
 */
export function restoredAfterEach(prepare: () => SnapshotTarget | Promise<SnapshotTarget>): void {
  let fixtures: Snapshot | undefined;
  beforeAll(async () => {
    fixtures = snapshot(await prepare());
  });
  afterEach(() => fixtures?.restore());
  afterAll(() => fixtures?.close());
}
