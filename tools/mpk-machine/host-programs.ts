/** What this computer brings: programs on the PATH, and perhaps protection keys of its own. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { INSTALL, MissingPart } from './missing.ts';

export interface HostPrograms {
  readonly qemu: string;
  /** Linked statically: the machine has no other program before its libraries are in place. */
  readonly busybox: string;
}

export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** Throws `MissingPart`. */
export function findHostPrograms(): HostPrograms {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new MissingPart(
      `the machine runs this computer's Node, which must be one for Linux on x86-64; here it is for ${process.platform} on ${process.arch}`,
    );
  }
  return { qemu: programNamed('qemu-system-x86_64'), busybox: programNamed('busybox') };
}

/** `ospke`: the processor has protection keys and the kernel has switched them on. */
export function hasProtectionKeys(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return /^flags\s*:.*\bospke\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false; // Without /proc nobody can tell; emulating is right in any case.
  }
}

function programNamed(name: string): string {
  const found = findProgram(name);
  if (found !== undefined) return found;
  throw new MissingPart(`${name} is missing; ${INSTALL}`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
