/**
 * Packs every package as npm would get it, looks at what is in the tarballs, and uses them from a scratch project outside
 * the workspace. What works here works for a stranger.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installAll } from './consumer.ts';
import { contentProblems } from './contents.ts';
import { manifestProblems } from './manifest.ts';
import { packAll } from './packed-package.ts';
import { readmeProblems } from './readme.ts';
import { useCommands } from './use-commands.ts';
import { useModules } from './use-modules.ts';

const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-packs-'));
try {
  const packages = packAll(scratch);
  if (packages.length === 0)
    throw new Error('there are no packages here: run this at the root of the repository');

  const problems = packages.flatMap((packed) =>
    [...contentProblems(packed), ...manifestProblems(packed, packages), ...readmeProblems(packed)].map(
      (problem) => `${packed.manifest.name}: ${problem}`,
    ),
  );
  if (problems.length > 0) throw new Error(`not fit to be published:\n  ${problems.join('\n  ')}`);
  for (const { manifest, files } of packages)
    console.log(`${manifest.name}@${manifest.version}: ${files.toSorted().join(' ')}`);

  const project = installAll(packages, scratch);
  const names = packages.map(({ manifest }) => manifest.name);
  useModules(names, project);
  const runs = useCommands(packages, project);
  console.log(`used as ESM, CommonJS and TypeScript; their commands, in ${runs} ways: ${names.join(', ')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
