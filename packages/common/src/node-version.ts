/** Which Node.js there must be: `engines` of the packages, for those whose installer did not look. */

/** The oldest, as major and minor. */
const OLDEST = [22, 12] as const;

interface ProcessLike {
  readonly versions?: { readonly node?: string };
}

/**
 * Why this process's version of Node.js is not enough, as a sentence; `undefined` where it is, and where there is no Node.js to be too
 * old.
 *
 * @param version - the version to look at. Default this process's
 */
export function nodeObstacle(version: string | undefined = ownVersion()): string | undefined {
  if (version === undefined) return undefined;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Node.js ${OLDEST.join('.')} or later is needed, and this is ${version}`;
}

function ownVersion(): string | undefined {
  return (globalThis as { readonly process?: ProcessLike }).process?.versions?.node;
}
