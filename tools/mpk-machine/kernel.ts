/**
 * Finds a Linux kernel image for the machine, in this order: the file that `GUARDSTRIPE_MPK_KERNEL` names; the one kept in
 * the cache; the kernel package that Debian's `linux-image-cloud-amd64` stands for, downloaded and unpacked into the cache.
 * Nothing is installed, and only the last one needs a network. The kernel must have the serial console, the initramfs
 * and the protection keys built in, as Debian's cloud kernel has.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MissingPart } from './missing.ts';
import { CACHE } from './paths.ts';
import { findProgram } from './host-programs.ts';

const META_PACKAGE = 'linux-image-cloud-amd64';
const HOW_TO_GET_ONE =
  'run `apt-get update` on Debian and try again, or name a Linux kernel image in GUARDSTRIPE_MPK_KERNEL';

/** Throws `MissingPart`. */
export function findOrFetchKernel(): string {
  const named = process.env['GUARDSTRIPE_MPK_KERNEL'];
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return named;
    throw new MissingPart(`GUARDSTRIPE_MPK_KERNEL names a file that is not there: ${named}`);
  }
  return cachedKernel() ?? fetchKernel();
}

function cachedKernel(): string | undefined {
  return globSync(join(CACHE, 'vmlinuz-*')).toSorted().at(-1);
}

function fetchKernel(): string {
  for (const tool of ['apt-cache', 'apt-get', 'dpkg-deb']) {
    if (findProgram(tool) === undefined) {
      throw new MissingPart(
        `the machine has no kernel, and ${tool} is missing to fetch one; ${HOW_TO_GET_ONE}`,
      );
    }
  }
  mkdirSync(CACHE, { recursive: true });
  const scratch = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    output('apt-get', ['download', packageName()], scratch);
    const [archive] = globSync(join(scratch, '*.deb'));
    if (archive === undefined) throw new MissingPart(`apt-get downloaded no kernel; ${HOW_TO_GET_ONE}`);
    output('dpkg-deb', ['-x', archive, join(scratch, 'unpacked')], scratch);
    const [image] = globSync(join(scratch, 'unpacked', 'boot', 'vmlinuz-*'));
    if (image === undefined) throw new MissingPart(`${basename(archive)} holds no kernel; ${HOW_TO_GET_ONE}`);
    // A rename is all or nothing, so a run that is cut short leaves no half kernel in the cache.
    const kept = join(CACHE, basename(image));
    renameSync(image, kept);
    return kept;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The package with today's version in its name, such as `linux-image-6.1.0-56-cloud-amd64`. */
function packageName(): string {
  const dependencies = output('apt-cache', ['depends', META_PACKAGE], CACHE);
  const name = /Depends: (linux-image-\S+)/.exec(dependencies)?.[1];
  if (name !== undefined) return name;
  throw new MissingPart(`apt knows no package ${META_PACKAGE}; ${HOW_TO_GET_ONE}`);
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
