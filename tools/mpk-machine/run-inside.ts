/** Builds the machine around a command, boots it and returns the command's exit status. */
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { boot } from './boot.ts';
import { type GuestCommand, initScript } from './guest-init.ts';
import { buildInitramfs, packageFolderOf } from './guest-tree.ts';
import { findHostPrograms } from './host-programs.ts';
import { findOrFetchKernel } from './kernel.ts';
import type { MachineOptions } from './options.ts';
import { CACHE, GUEST_NODE, GUEST_OUT, GUEST_WORKSPACE, WORKSPACE } from './paths.ts';
import { emptyOut, unpackResults } from './results.ts';
import {
  compileGuests,
  NO_SKIPS,
  OWN_MACHINE,
  TEST_ENVIRONMENT,
  TESTED_FOLDERS,
  testArguments,
} from './test-commands.ts';

/** Throws `MissingPart`. */
export async function runTestsInside(filters: readonly string[], machine: MachineOptions): Promise<number> {
  if (!compileGuests(WORKSPACE)) return 1;
  return run(machine, {
    words: [GUEST_NODE, ...testArguments(GUEST_WORKSPACE, machine.numCpus, filters)],
    environment: [...TEST_ENVIRONMENT, OWN_MACHINE, ...(machine.kernel === 'new' ? [NO_SKIPS] : [])],
    files: [],
    folders: TESTED_FOLDERS.map((folder) => join(WORKSPACE, folder)),
  });
}

/** Throws `MissingPart`, or a `RangeError` if the script is not a file of the workspace. */
export async function runScriptInside(
  script: string,
  args: readonly string[],
  machine: MachineOptions,
): Promise<number> {
  if (!existsSync(script)) throw new RangeError(`--run must name a script, received "${script}"`);
  const root = realpathSync(WORKSPACE);
  const file = realpathSync(script);
  const place = relative(root, file);
  if (place.startsWith('..'))
    throw new RangeError(`--run must name a file of the workspace, received "${script}"`);
  const folder = packageFolderOf(file, root);
  const guestFile = join(GUEST_WORKSPACE, place);
  return run(machine, {
    words: [GUEST_NODE, guestFile, ...args],
    environment: [`GUARDSTRIPE_OUT=${GUEST_OUT}`],
    // A script that no package owns brings the files beside it.
    files: folder === undefined ? siblings(file) : [],
    folders: folder === undefined ? [] : [folder],
  });
}

interface Inside extends Pick<GuestCommand, 'words' | 'environment'> {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

async function run(machine: MachineOptions, inside: Inside): Promise<number> {
  const { qemu, busybox } = findHostPrograms();
  const kernel = findOrFetchKernel(machine.kernel);
  emptyOut();
  mkdirSync(CACHE, { recursive: true });
  const scratch = mkdtempSync(join(CACHE, 'boot-'));
  const removeScratch = (): void => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', removeScratch);
  try {
    const initramfs = join(scratch, 'initramfs.cpio');
    const secondPort = join(scratch, 'results.tar.gz');
    const swapDisk = makeSwapDisk(scratch, machine.swapMebibytes);
    const { numBytes } = buildInitramfs(initramfs, {
      busybox,
      workspace: WORKSPACE,
      init: initScript({
        folder: GUEST_WORKSPACE,
        words: inside.words,
        sysctls: machine.sysctls,
        swaps: swapDisk !== undefined,
        environment: [...switchesOfThisProcess(), ...inside.environment, ...machine.environment],
      }),
      folders: [
        ...globSync(join(WORKSPACE, 'packages', '*', 'package.json')).map(dirname),
        ...inside.folders,
      ],
      files: inside.files,
    });
    console.log(
      `booting an emulated machine with protection keys and ${basename(kernel)} (${Math.round(numBytes / 2 ** 20)} MiB of files)`,
    );
    const started = performance.now();
    const end = await boot({ qemu, kernel, initramfs, secondPort, swapDisk, machine });
    console.log(`the machine was on for ${Math.round((performance.now() - started) / 1000)} s`);
    if (end.kind === 'time limit')
      return failed(`the machine was switched off after ${machine.timeLimitSeconds} s`);
    if (end.kind === 'failed') return failed(end.reason);
    return unpackResults(secondPort) ?? failed('the machine went off without a result');
  } finally {
    removeScratch();
  }
}

const OF_THIS_MACHINE = new Set(['GUARDSTRIPE_MPK_KERNEL', 'GUARDSTRIPE_FORBID_SKIPS']);

/**
 * What is set outside holds inside, but for what speaks of this machine: its kernel, and what it must not skip. An older kernel
 * inside lacks much of what this one has, and the tests of that skip there; those that need keys are held to it by their own switch.
 */
function switchesOfThisProcess(): readonly string[] {
  return Object.entries(process.env)
    .filter(([name]) => name.startsWith('GUARDSTRIPE_') && !OF_THIS_MACHINE.has(name))
    .map(([name, value]) => `${name}=${value}`);
}

/** A file with a hole of that size, which takes the room that is written to. */
function makeSwapDisk(folder: string, mebibytes: number): string | undefined {
  if (mebibytes === 0) return undefined;
  const file = join(folder, 'swap.img');
  writeFileSync(file, '');
  truncateSync(file, mebibytes * 2 ** 20);
  return file;
}

function siblings(file: string): readonly string[] {
  return globSync(join(dirname(file), '*.{ts,mts,js,mjs,json,wasm}'));
}

function failed(reason: string): number {
  console.error(`the emulated machine failed: ${reason}`);
  return 1;
}
