/** The command line of `slab-plan`, from words to settings, host and usage. */
import { parseBytes } from '@guardstripe/common';
// As a whole: an older Node.js has not all of it, and must come as far as saying so.
import * as util from 'node:util';
import type { PlanUsage } from '../plan/answer.js';
import type { PlanHost } from '../plan/host.js';
import { DEFAULT_PLAN_SETTINGS, WASMTIME_PLAN_SETTINGS } from '../plan/defaults.js';
import { readLayers, splitFlags, type NamedSettings } from '../plan/settings.js';
import { readSettingsFile } from './settings-file.js';
import { thisHost } from './this-host.js';
import { UsageError } from './usage-error.js';

const STRING = { type: 'string' } as const;
const BOOLEAN = { type: 'boolean' } as const;

const OPTIONS = {
  settings: STRING,
  wasmtime: { type: 'string', short: 'O', multiple: true },
  'total-memories': STRING,
  'max-memory-size': STRING,
  'memory-reservation': STRING,
  'memory-guard-size': STRING,
  'guard-before-linear-memory': STRING,
  'linear-memory-keep-resident': STRING,
  'max-unused-bytes-resident': STRING,
  'max-unused-warm-slots': STRING,
  'memory-protection-keys': STRING,
  'max-memory-protection-keys': STRING,
  embedding: STRING,
  'this-host': BOOLEAN,
  'address-bits': STRING,
  'page-size': STRING,
  'max-map-count': STRING,
  keys: STRING,
  memory: STRING,
  'address-space': STRING,
  'largest-reservation': STRING,
  resident: STRING,
  'no-image': BOOLEAN,
  svg: STRING,
  width: STRING,
  base: STRING,
  stripe: STRING,
  'memory-bytes': STRING,
  json: BOOLEAN,
  version: BOOLEAN,
  help: { type: 'boolean', short: 'h' },
} as const;

/** The options as they were typed. */
export type Values = ReturnType<typeof parseWords>['values'];

/** The command line, its words told apart. */
export interface CommandLine {
  readonly command: 'plan' | 'draw' | 'locate' | 'help';
  /** What stands behind the command. */
  readonly operands: readonly string[];
  readonly values: Values;
}

/** Options that only one command takes. */
const ONLY_FOR: readonly (readonly [keyof Values, CommandLine['command']])[] = [
  ['svg', 'draw'],
  ['width', 'draw'],
  ['base', 'locate'],
  ['stripe', 'locate'],
  ['memory-bytes', 'locate'],
];

/**
 * Tells the words apart.
 *
 * @throws {@link UsageError} for an unknown command or option, or one that the command does not take
 */
export function readCommandLine(words: readonly string[]): CommandLine {
  const { values, positionals } = parseWords(words);
  const [command = 'plan', ...operands] = positionals;
  if (values.help === true || command === 'help') return { command: 'help', operands, values };
  if (command !== 'plan' && command !== 'draw' && command !== 'locate') {
    throw new UsageError(`unknown command ${JSON.stringify(command)}: plan, draw, locate or help`);
  }
  for (const [option, wanted] of ONLY_FOR) {
    if (values[option] !== undefined && command !== wanted) {
      throw new UsageError(`--${option} belongs to the command ${wanted}`);
    }
  }
  const wantedOperands = command === 'locate' ? 1 : 0;
  if (operands.length < wantedOperands) throw new UsageError('locate needs an offset, such as 0x2400010');
  if (operands.length > wantedOperands) {
    throw new UsageError(`one word too many: ${JSON.stringify(operands[wantedOperands])}`);
  }
  return { command, operands, values };
}

function parseWords(words: readonly string[]) {
  try {
    return util.parseArgs({ args: [...words], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    // Node adds advice on words that begin with a dash; the first sentence says what is wrong.
    const [sentence = 'bad command line'] = (error as Error).message.split(/\.?(?: To specify|\n)/);
    const isNegative = /^Unknown option '-\d/.test(sentence);
    throw new UsageError(
      isNegative ? `${sentence}; a negative OFFSET goes behind --, as in: locate -- -16` : sentence,
    );
  }
}

/** The settings, from the file, Wasmtime's flags and our options, each called as it was typed. */
export function settingsOf(values: Values): NamedSettings {
  const fromFile = values.settings === undefined ? {} : readSettingsFile(values.settings);
  const flags = splitFlags(values.wasmtime ?? []);
  const own = Object.entries(values).filter(([name]) => name in SETTING_OPTIONS);
  const defaults =
    values.wasmtime !== undefined && values.embedding === undefined ? WASMTIME_PLAN_SETTINGS : undefined;
  return readLayers(
    [
      { settings: fromFile },
      { settings: flags, prefix: '-O ' },
      { settings: Object.fromEntries(own), prefix: '--' },
    ],
    defaults,
  );
}

const SETTING_OPTIONS: Readonly<Record<string, true>> = Object.fromEntries(
  Object.keys(DEFAULT_PLAN_SETTINGS).map((name) => [
    name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    true,
  ]),
);

/** The host, from this machine and from options. */
export function hostOf(values: Values): PlanHost {
  const given = {
    addressBits: countOption(values, 'address-bits'),
    pageSize: bytesOption(values, 'page-size'),
    maxMapCount: values['max-map-count'] === 'none' ? Infinity : countOption(values, 'max-map-count'),
    protectionKeys: countOption(values, 'keys'),
    memoryBytes: values.memory === 'none' ? Infinity : bytesOption(values, 'memory'),
    addressSpaceLimitBytes:
      values['address-space'] === 'none' ? Infinity : bytesOption(values, 'address-space'),
    largestReservationBytes: bytesOption(values, 'largest-reservation'),
  };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...(values['this-host'] === true ? thisHost() : {}), ...(Object.fromEntries(known) as PlanHost) };
}

/** How memories are used. */
export function usageOf(values: Values): PlanUsage {
  return { residentBytesPerMemory: bytesOption(values, 'resident'), hasImage: values['no-image'] !== true };
}

type TextOption = {
  [Name in keyof Values]-?: Values[Name] extends string | undefined ? Name : never;
}[keyof Values];

/** A size, if the option is there. */
export function bytesOption(values: Values, name: TextOption): number | undefined {
  const text = values[name];
  return text === undefined ? undefined : parseBytes(text, `--${name}`);
}

/** A plain number, if the option is there. */
export function countOption(values: Values, name: TextOption): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) {
    throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(text)}`);
  }
  return Number(text);
}
