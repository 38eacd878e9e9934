/**
 * How changesets become lines of a changelog, for people who use the package: the summary without the hash of a commit, and
 * new versions of our other packages in one line.
 */
interface Changeset {
  readonly summary: string;
}

interface Dependency {
  readonly name: string;
  readonly newVersion: string;
}

export function getReleaseLine({ summary }: Changeset): string {
  return `- ${summary.replaceAll('\n', '\n  ')}`;
}

export function getDependencyReleaseLine(
  _changesets: readonly Changeset[],
  updated: readonly Dependency[],
): string {
  if (updated.length === 0) return '';
  return `- Updated dependencies: ${updated.map(({ name, newVersion }) => `${name}@${newVersion}`).join(', ')}`;
}
