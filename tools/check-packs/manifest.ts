/** What a manifest must say once it is packed, so that the package can be found, and gets the packages it was built with. */
import type { PackedPackage } from './packed-package.ts';

const MIN_KEYWORDS = 3;

export function manifestProblems({ manifest }: PackedPackage, all: readonly PackedPackage[]): string[] {
  const { keywords = [], dependencies = {} } = manifest;
  const problems: string[] = [];
  if (keywords.length < MIN_KEYWORDS)
    problems.push(`${keywords.length} keywords; people find it by ${MIN_KEYWORDS} or more`);
  for (const { name, version } of all.map((packed) => packed.manifest)) {
    const range = dependencies[name];
    if (range !== undefined && range !== `^${version}`)
      problems.push(`needs ${name} ${range}, which is packed here as ${version}`);
  }
  return problems;
}
