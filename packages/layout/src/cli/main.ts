/** What `slab-plan` does with its command line. */
import { nodeObstacle, parseBytes } from '@guardstripe/common';
import { readFileSync, writeFileSync } from 'node:fs';
import { describeLocation } from '../describe-location.js';
import { draw } from '../draw/draw.js';
import { SlabTooLargeError } from '../errors.js';
import { locate } from '../locate.js';
import type { Plan } from '../plan/answer.js';
import { planNamed } from '../plan/plan.js';
import type { SlabLayout } from '../slab-layout.js';
import { HELP } from './help.js';
import {
  bytesOption,
  countOption,
  hostOf,
  readCommandLine,
  settingsOf,
  usageOf,
  type CommandLine,
  type Values,
} from './options.js';
import { showPlan } from './show-plan.js';
import { printable, styleOf } from './terminal.js';
import { UsageError } from './usage-error.js';

const FITS = 0;
const DOES_NOT_FIT = 1;
const BAD_USAGE = 2;
const NOT_ALL_LIVE = 3;

/** Runs the command and returns its exit code. Answers go to standard output, one line of error to the other. */
export function main(words: readonly string[]): number {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever reads may have enough, as `head` does.
    if (error.code === 'EPIPE') return;
    process.exitCode = complain(new UsageError(`cannot write the answer: ${error.code ?? error.message}`));
  });
  const tooOld = nodeObstacle();
  if (tooOld !== undefined) return complain(new UsageError(tooOld));
  try {
    const line = readCommandLine(words);
    if (line.values.version === true) {
      process.stdout.write(`${version()}\n`);
      return FITS;
    }
    return COMMANDS[line.command](line);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error || error instanceof UsageError)) throw error;
    return complain(error);
  }
}

function complain(error: Error): number {
  process.stderr.write(`slab-plan: ${printable(error.message)}\n`);
  return error instanceof SlabTooLargeError ? DOES_NOT_FIT : BAD_USAGE;
}

const COMMANDS: Readonly<Record<CommandLine['command'], (line: CommandLine) => number>> = {
  plan: planCommand,
  draw: drawCommand,
  locate: locateCommand,
  help: helpCommand,
};

function helpCommand(): number {
  process.stdout.write(HELP);
  return FITS;
}

/** Of the package that this is a part of: its manifest lies beside the folder of the built command. */
function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

function planCommand({ values }: CommandLine): number {
  const answer = planNamed(settingsOf(values), hostOf(values), usageOf(values));
  process.stdout.write(
    values.json === true ? json(planJson(answer)) : showPlan(answer, styleOf(process.stdout)),
  );
  if (answer.fits) return FITS;
  return answer.advice.some(({ severity }) => severity === 'error') ? DOES_NOT_FIT : NOT_ALL_LIVE;
}

function drawCommand({ values }: CommandLine): number {
  const layout = layoutOf(values);
  const width = countOption(values, 'width');
  if (values.svg === undefined) {
    const columns = process.stdout.isTTY ? Math.max(Math.min(process.stdout.columns, 120), 40) : 80;
    const text = draw(layout, { format: 'text', width: width ?? columns });
    process.stdout.write(values.json === true ? json({ layout: layoutJson(layout), text }) : text);
    return FITS;
  }
  const svg = draw(layout, { format: 'svg', width });
  if (values.svg === '-') {
    process.stdout.write(svg);
    return FITS;
  }
  writeSvg(values.svg, svg);
  process.stdout.write(values.json === true ? json({ layout: layoutJson(layout), svg: values.svg }) : '');
  return FITS;
}

function writeSvg(path: string, svg: string): void {
  try {
    writeFileSync(path, svg);
  } catch (error) {
    throw new UsageError(
      `cannot write ${path || 'a file without a name'}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
    );
  }
}

function locateCommand({ operands, values }: CommandLine): number {
  const layout = layoutOf(values);
  const [text = ''] = operands;
  const place = text.startsWith('-') ? -parseBytes(text.slice(1), 'offset') : parseBytes(text, 'offset');
  const offset = place - (bytesOption(values, 'base') ?? 0);
  const location = locate(layout, offset, {
    memoryBytes: bytesOption(values, 'memory-bytes'),
    stripe: countOption(values, 'stripe'),
  });
  const sentence = describeLocation(location);
  process.stdout.write(values.json === true ? json({ ...location, sentence }) : `${sentence}\n`);
  return FITS;
}

/** The slab that was asked for, whether or not the host can hold it. */
function layoutOf(values: Values): SlabLayout {
  const anyAddress = { largestReservationBytes: Infinity, addressSpaceLimitBytes: Infinity };
  const named = settingsOf(values);
  const { slabFits, layout } = planNamed(named, { ...hostOf(values), ...anyAddress }, {});
  const { totalMemories, memoryReservation } = named.names;
  if (!slabFits)
    throw new SlabTooLargeError(
      `The slab is larger than 8 PiB: lower ${totalMemories} or ${memoryReservation}`,
    );
  return layout;
}

/** `null` is no bound. */
function planJson({ layout, ...rest }: Plan): object {
  return { ...rest, layout: layoutJson(layout) };
}

function layoutJson(layout: SlabLayout): object {
  // The getters are not fields of its own.
  const { totalSlabBytes, bytesToNextStripeSlot } = layout;
  return Object.assign(Object.fromEntries(Object.entries(layout)), { totalSlabBytes, bytesToNextStripeSlot });
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
