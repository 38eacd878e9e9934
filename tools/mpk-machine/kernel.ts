/**
 * Finds a Linux kernel image for the machine: a file that was named; else one kept in the cache; else a package of Debian,
 * downloaded and unpacked into the cache. Nothing is installed, and only the last one needs a network. The kernel must have the
 * serial console, the initramfs, the protection keys and an NVMe disk built in, as Debian's cloud kernels have.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MissingPart } from './missing.ts';
import { CACHE } from './paths.ts';
import { findProgram } from './host-programs.ts';
import { type AptSource, BACKPORTS, OWN_SOURCES } from './apt-source.ts';

/** Kernels that are known by name: `old` is what this Debian has (6.1 on Debian 12), `new` the newest of Debian 13's backports. */
const NAMED: Readonly<Record<string, AptSource>> = { old: OWN_SOURCES, new: BACKPORTS };

const META_PACKAGE = 'linux-image-cloud-amd64';
/** Newer kernels come in several packages, of which one has the image; the others are modules, which the machine needs none of. */
const PACKAGES_WITH_IMAGE = /Depends: (linux-(?:image|binary)-\S+)/;
const HOW_TO_GET_ONE =
  'run `apt-get update` on Debian and try again, or name a Linux kernel image by --kernel or in GUARDSTRIPE_MPK_KERNEL';

/** `choice` is a name of {@link NAMED}, or a file. Throws `MissingPart`. */
export function findOrFetchKernel(choice: string): string {
  const source = NAMED[choice];
  if (source === undefined) {
    if (existsSync(choice)) return choice;
    throw new MissingPart(`the kernel is neither ${Object.keys(NAMED).join(' nor ')} nor a file: ${choice}`);
  }
  const folder = join(CACHE, choice);
  return cachedKernel(folder) ?? fetchKernel(source, folder);
}

function cachedKernel(folder: string): string | undefined {
  return globSync(join(folder, 'vmlinuz-*')).toSorted().at(-1);
}

function fetchKernel(source: AptSource, folder: string): string {
  for (const tool of ['apt-cache', 'apt-get', 'dpkg-deb']) {
    if (findProgram(tool) === undefined) {
      throw new MissingPart(
        `the machine has no kernel, and ${tool} is missing to fetch one; ${HOW_TO_GET_ONE}`,
      );
    }
  }
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, 'fetch-'));
  try {
    const options = source.prepare(scratch);
    if (options.length > 0) output('apt-get', [...options, 'update'], scratch);
    // A rename is all or nothing, so a run that is cut short leaves no half kernel in the cache.
    const { image, version } = unpackImage(options, scratch);
    const kept = join(folder, `vmlinuz-${version}`);
    renameSync(image, kept);
    return kept;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Follows the meta package to the package that holds the image, such as `linux-image-6.1.0-56-cloud-amd64`. */
function unpackImage(options: readonly string[], scratch: string): { image: string; version: string } {
  let name = META_PACKAGE;
  for (;;) {
    const dependencies = output('apt-cache', [...options, 'depends', name], scratch);
    const next = PACKAGES_WITH_IMAGE.exec(dependencies)?.[1];
    if (next === undefined) throw new MissingPart(`${name} of Debian holds no kernel; ${HOW_TO_GET_ONE}`);
    name = next;
    output('apt-get', [...options, 'download', name], scratch);
    const [archive] = globSync(join(scratch, `${name}_*.deb`));
    if (archive === undefined) throw new MissingPart(`apt-get downloaded no ${name}; ${HOW_TO_GET_ONE}`);
    const unpacked = join(scratch, name);
    output('dpkg-deb', ['-x', archive, unpacked], scratch);
    const [image] = globSync(['boot/vmlinuz-*', 'usr/lib/modules/*/vmlinuz'], { cwd: unpacked });
    if (image !== undefined)
      return { image: join(unpacked, image), version: name.replace(/^linux-(?:image|binary)-/, '') };
  }
}

function output(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? String(error);
    throw new MissingPart(`${command} could not fetch a kernel (${said}); ${HOW_TO_GET_ONE}`, {
      cause: error,
    });
  }
}
