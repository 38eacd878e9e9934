import { isSupported, supportReason, type SnapshotMethod } from '../../src/index.js';

/** The three ways; those that this machine has not are tested all the same, and fall back. */
export const WAYS: readonly SnapshotMethod[] = ['written', 'laid', 'copy'];

/** Why a test that needs a way cannot run here, for `context.skip`. */
export function obstacleTo(method: SnapshotMethod): string | undefined {
  return isSupported(method) ? undefined : `no way '${method}' here: ${supportReason(method)}`;
}
