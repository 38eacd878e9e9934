/** Where apt takes packages from: as this computer is set up, or from another part of Debian for one command, with state of its own. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MissingPart } from './missing.ts';

export interface AptSource {
  /** Writes what apt reads into an empty folder and returns the options that say so; none where it is set up already. */
  prepare(folder: string): readonly string[];
}

export const OWN_SOURCES: AptSource = { prepare: () => [] };

/** Signed with keys of Debian itself, which this package brings to any Debian or Ubuntu; apt takes nothing without them. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const KEYRING_PACKAGE = 'debian-archive-keyring';

export const BACKPORTS: AptSource = {
  prepare(folder) {
    if (!existsSync(KEYRING))
      throw new MissingPart(
        `${KEYRING} is missing; run \`apt-get install ${KEYRING_PACKAGE}\` and try again`,
      );
    const sources = join(folder, 'sources');
    const lists = join(folder, 'lists');
    for (const path of [sources, join(lists, 'partial')]) mkdirSync(path, { recursive: true });
    writeFileSync(
      join(sources, 'backports.sources'),
      `Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie-backports
Components: main
Architectures: amd64
Signed-By: ${KEYRING}
`,
    );
    const set = {
      'Dir::Etc::SourceList': '/dev/null',
      'Dir::Etc::SourceParts': sources,
      'Dir::State::Lists': lists,
      'Dir::Cache': folder,
      // Packages of this name are pinned for this computer, not for the machine.
      'Dir::Etc::Preferences': '/dev/null',
      'Dir::Etc::PreferencesParts': '/dev/null',
    };
    return Object.entries(set).map(([name, value]) => `-o${name}=${value}`);
  },
};
