/**
 * How changesets become lines of a changelog: as they do by default, except that new versions of our other packages are
 * one line, and not one more for each changeset behind them.
 */
import byDefault from '@changesets/cli/changelog';

interface Dependency {
  readonly name: string;
  readonly newVersion: string;
}

export const { getReleaseLine } = byDefault;

export function getDependencyReleaseLine(_changesets: unknown, updated: readonly Dependency[]): string {
  if (updated.length === 0) return '';
  return `- Updated dependencies: ${updated.map(({ name, newVersion }) => `${name}@${newVersion}`).join(', ')}`;
}
