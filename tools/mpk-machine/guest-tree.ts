/** Lays out the machine's file system: busybox, Node, their libraries, and the workspace with what it imports. */
import { existsSync, globSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { CpioWriter } from './cpio.ts';
import { type PackageClosure, PackageWalk } from './package-closure.ts';
import { GUEST_NODE, GUEST_OUT, GUEST_WORKSPACE } from './paths.ts';
import { sharedLibrariesOf } from './shared-libraries.ts';

const ROOT_FILES = [
  'package.json',
  'pnpm-workspace.yaml',
  'tsconfig*.json',
  'vitest.config.ts',
  'tools/longest-first.ts',
  'tools/plain-line-reporter.ts',
];
const ROOT_IMPORTS = ['vitest', 'fast-check', '@guardstripe/common'];
const MOUNT_POINTS = ['/bin', '/dev', '/proc', '/root', '/sys', '/tmp', '/usr/bin', '/var/tmp', GUEST_OUT];
const NOT_COPIED_OF_OURS: ReadonlySet<string> = new Set(['node_modules', 'out', 'coverage']);
const NOT_COPIED: ReadonlySet<string> = new Set(['node_modules']);
/** Nothing at run time reads these, and they are more than half of all files. */
const NOT_USED_AT_RUN_TIME = /\.(?:d\.[cm]?ts|map|md|markdown)$/;

export interface GuestTree {
  readonly busybox: string;
  /** The text of `/init`. */
  readonly init: string;
  readonly workspace: string;
  /** Packages of the workspace that the command needs; what they import comes along. */
  readonly folders: readonly string[];
  /** Further single files of the workspace. */
  readonly files: readonly string[];
}

/** Writes the initramfs to `archive`. Not compressed: unpacking costs the emulated processor more than QEMU's copying. */
export function buildInitramfs(archive: string, tree: GuestTree): { readonly numBytes: number } {
  const workspace = realpathSync(tree.workspace);
  const cpio = new CpioWriter(archive);
  const walk = new PackageWalk(workspace);
  for (const name of ROOT_IMPORTS) walk.addImport(join(workspace, 'node_modules'), name);
  for (const folder of tree.folders) walk.addWorkspaceFolder(realpathSync(folder));

  addSystem(cpio, tree);
  const addOns = addWorkspace(cpio, workspace, walk);
  const rootFiles = globSync(ROOT_FILES, { cwd: workspace }).map((file) => join(workspace, file));
  for (const file of [...rootFiles, ...tree.files])
    addFile(cpio, file, guestPath(workspace, realpathSync(file)));
  for (const library of sharedLibrariesOf([process.execPath, ...addOns])) addFile(cpio, library, library);
  return { numBytes: cpio.close() };
}

function addSystem(cpio: CpioWriter, tree: GuestTree): void {
  for (const path of MOUNT_POINTS) cpio.directory(path);
  cpio.file('/init', Buffer.from(tree.init), true);
  cpio.file('/etc/passwd', Buffer.from('root:x:0:0:root:/root:/bin/sh\n'));
  cpio.file('/etc/group', Buffer.from('root:x:0:\n'));
  cpio.file('/etc/hosts', Buffer.from('127.0.0.1 localhost\n'));
  addFile(cpio, tree.busybox, '/bin/busybox');
  cpio.symlink('/usr/bin/env', '/bin/busybox');
  addFile(cpio, process.execPath, GUEST_NODE);
}

/** Returns the native add-ons among the files. */
function addWorkspace(cpio: CpioWriter, workspace: string, closure: PackageClosure): readonly string[] {
  const addOns: string[] = [];
  const addAll = (files: Iterable<string>): void => {
    for (const file of files) {
      addFile(cpio, file, guestPath(workspace, file));
      if (file.endsWith('.node')) addOns.push(file);
    }
  };
  for (const folder of closure.workspaceFolders) addAll(filesIn(folder, NOT_COPIED_OF_OURS));
  for (const folder of closure.installedFolders) {
    addAll(filesIn(folder, NOT_COPIED).filter((file) => !NOT_USED_AT_RUN_TIME.test(file)));
  }
  for (const { path, target } of closure.links.values()) cpio.symlink(guestPath(workspace, path), target);
  return addOns;
}

/** Regular files below a folder; hidden ones and those with an unwanted name, or in a folder with one, are left out. */
function filesIn(folder: string, unwanted: ReadonlySet<string>): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !unwanted.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesIn(path, unwanted);
      return entry.isFile() ? [path] : [];
    });
}

function addFile(cpio: CpioWriter, file: string, path: string): void {
  cpio.file(path, readFileSync(file), (statSync(file).mode & 0o111) !== 0);
}

function guestPath(workspace: string, file: string): string {
  return join(GUEST_WORKSPACE, relative(workspace, file));
}

/** The folder of the package that a file belongs to, if it is one of the workspace's. */
export function packageFolderOf(file: string, workspace: string): string | undefined {
  const root = realpathSync(workspace);
  for (
    let folder = dirname(realpathSync(file));
    folder.startsWith(root) && folder !== root;
    folder = dirname(folder)
  ) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  return undefined;
}
