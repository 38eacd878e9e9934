/**
 * Follows pnpm's links from a package folder to everything that it can import, and to what that can import in turn:
 *
 *     packages/mmap/node_modules/koffi -> node_modules/.pnpm/koffi@3.3.4/node_modules/koffi          (a package)
 *                                         node_modules/.pnpm/koffi@3.3.4/node_modules/@koromix/... -> (what it imports)
 *
 * Links are relative and lead to places inside the workspace, so copying packages and links to the same relative places
 * in the machine is enough for Node to resolve every import there as it does here.
 *
 * Not by `pnpm deploy`, which was looked at: it makes a folder of one package without what its tests import, at another place, where
 * several packages and a script at the root have to lie as they lie here.
 */
import { lstatSync, readdirSync, readlinkSync, realpathSync, existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

export interface Link {
  readonly path: string;
  /** Relative, as the link says it. */
  readonly target: string;
}

export interface PackageClosure {
  /** Folders of our own packages, links resolved. */
  readonly workspaceFolders: ReadonlySet<string>;
  /** Folders of installed packages, links resolved. */
  readonly installedFolders: ReadonlySet<string>;
  readonly links: ReadonlyMap<string, Link>;
}

export class PackageWalk implements PackageClosure {
  readonly workspaceFolders = new Set<string>();
  readonly installedFolders = new Set<string>();
  readonly links = new Map<string, Link>();
  readonly #store: string;

  constructor(workspace: string) {
    this.#store = join(realpathSync(workspace), 'node_modules', '.pnpm') + sep;
  }

  /** Adds a package of the workspace and all that its `node_modules` holds. */
  addWorkspaceFolder(folder: string): void {
    if (this.workspaceFolders.has(folder)) return;
    this.workspaceFolders.add(folder);
    this.#addEverythingIn(join(folder, 'node_modules'));
  }

  /** Adds one import of a `node_modules` folder, and what it leads to. */
  addImport(nodeModules: string, name: string): void {
    const path = join(nodeModules, name);
    if (this.links.has(path) || !lstatSync(path).isSymbolicLink()) return;
    this.links.set(path, { path, target: readlinkSync(path) });
    const folder = realpathSync(path);
    if (folder.startsWith(this.#store)) this.#addInstalled(folder);
    else this.addWorkspaceFolder(folder);
  }

  #addInstalled(folder: string): void {
    if (this.installedFolders.has(folder)) return;
    this.installedFolders.add(folder);
    // .pnpm/<id>/node_modules/<name>: what a package may import lies beside it.
    const [id] = relative(this.#store, folder).split(sep);
    this.#addEverythingIn(join(this.#store, id!, 'node_modules'));
  }

  #addEverythingIn(nodeModules: string): void {
    if (!existsSync(nodeModules)) return;
    for (const entry of readdirSync(nodeModules, { withFileTypes: true })) {
      // `.bin` and tools' caches; types are of no use at run time.
      if (entry.name.startsWith('.') || entry.name === '@types') continue;
      if (!entry.name.startsWith('@')) this.addImport(nodeModules, entry.name);
      else
        for (const name of readdirSync(join(nodeModules, entry.name)))
          this.addImport(nodeModules, join(entry.name, name));
    }
  }
}
