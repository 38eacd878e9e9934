/** The command line of `main.ts`. */
import { parseArgs } from 'node:util';

export interface MachineOptions {
  /** Memory of the machine in MiB. */
  readonly memoryMebibytes: number;
  readonly numCpus: number;
  /** Of a disk to swap to, in MiB; 0 for none. */
  readonly swapMebibytes: number;
  /** A kernel by name or by file, see `kernel.ts`. */
  readonly kernel: string;
  /** The machine is switched off, and the run has failed, after so many seconds. */
  readonly timeLimitSeconds: number;
  /** `name=value`, set before the command starts. */
  readonly sysctls: readonly string[];
  /** `NAME=value`, added to the command's environment. */
  readonly environment: readonly string[];
}

export type Job =
  | { readonly kind: 'help' }
  /** Run the packages' tests; `filters` are vitest's: parts of file names. */
  | { readonly kind: 'tests'; readonly filters: readonly string[]; readonly emulate: boolean }
  /** Run one script of the workspace under Node. */
  | { readonly kind: 'script'; readonly file: string; readonly args: readonly string[] };

export const USAGE = `usage: node tools/mpk-machine/main.ts [options] [part of a test file's name ...]
       node tools/mpk-machine/main.ts --run <script> [options] [-- argument ...]

  --run <script>          run this script of the workspace instead of the tests
  --emulate               emulate even if this computer has protection keys
  --kernel <which>        old: what this Debian has, new: of Debian 13's backports, or a file
                          (default: what GUARDSTRIPE_MPK_KERNEL says, else old)
  --memory <MiB>          memory of the machine (default 3072)
  --swap <MiB>            a disk to swap to (default 512; 0 for none)
  --cpus <n>              processors of the machine (default 2)
  --time-limit <seconds>  switch the machine off after this time (default 1800)
  --sysctl <name=value>   set a kernel parameter inside; may be repeated
  --env <NAME=value>      set an environment variable inside; may be repeated`;

/** Throws a `TypeError` or `RangeError` that names the option. */
export function parseOptions(argv: readonly string[]): { job: Job; machine: MachineOptions } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      run: { type: 'string' },
      help: { type: 'boolean', default: false },
      emulate: { type: 'boolean', default: false },
      // Empty is not set, as a script may leave it.
      kernel: { type: 'string', default: process.env['GUARDSTRIPE_MPK_KERNEL'] || 'old' },
      memory: { type: 'string', default: '3072' },
      swap: { type: 'string', default: '512' },
      cpus: { type: 'string', default: '2' },
      'time-limit': { type: 'string', default: '1800' },
      sysctl: { type: 'string', multiple: true, default: [] },
      env: { type: 'string', multiple: true, default: [] },
    },
  });
  const machine: MachineOptions = {
    // Node, vitest and the unpacked files themselves need the better part of a gigabyte.
    memoryMebibytes: wholeNumber('--memory', values.memory, 1024),
    swapMebibytes: wholeNumber('--swap', values.swap, 0),
    kernel: values.kernel,
    numCpus: wholeNumber('--cpus', values.cpus, 1),
    timeLimitSeconds: wholeNumber('--time-limit', values['time-limit'], 1),
    sysctls: assignments('--sysctl', values.sysctl, /^[\w./-]+=[\w .-]+$/),
    environment: assignments('--env', values.env, /^[A-Za-z_]\w*=/),
  };
  return { job: jobOf(values, positionals), machine };
}

function jobOf(
  values: { readonly run?: string; readonly help: boolean; readonly emulate: boolean },
  positionals: readonly string[],
): Job {
  if (values.help) return { kind: 'help' };
  if (values.run !== undefined) return { kind: 'script', file: values.run, args: positionals };
  return { kind: 'tests', filters: positionals, emulate: values.emulate };
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${option} must be a whole number from ${least} on, received "${text}"`);
}

function assignments(option: string, texts: readonly string[], form: RegExp): readonly string[] {
  const wrong = texts.find((text) => !form.test(text));
  if (wrong === undefined) return texts;
  throw new TypeError(`${option} must have the form name=value, received "${wrong}"`);
}
