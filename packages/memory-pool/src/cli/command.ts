/** The command line: `doctor`, its options, its exit codes. */
import { nodeObstacle } from '@guardstripe/common';
import { readFileSync } from 'node:fs';
// As a whole: an older Node.js has not all of it, and must come as far as saying so.
import * as util from 'node:util';
import { examine } from './examine.js';
import { gatherFacts, HostUnusableError } from './facts.js';
import { showReport, styleOf } from './show.js';

const HELP = `Usage: guardstripe-memory-pool doctor [--json]
       guardstripe-memory-pool help

Says what this host offers to a memory pool, what the pool will therefore do, and what to change to do better. Changes
nothing. Run it where the pool will run: limits differ between a shell, a service and a container.

Options:
  --json       the answer as JSON, alone, on standard output; its "host" is what plan() of @guardstripe/layout takes
  --version    print the version
  -h, --help   print this

Exit codes:
  0  a pool with the default settings can be made here, and all its memories can be live at once
  1  it cannot be made; the lines marked "fix" say why
  2  the command line is wrong, or the answer cannot be written
  3  it can be made, but not all its memories can be live at once; the lines marked "note" say why
`;

const WORKS = 0;
const DOES_NOT_WORK = 1;
const BAD_USAGE = 2;
const NOT_ALL_LIVE = 3;

class UsageError extends Error {}

/** Runs the command and returns its exit code. Answers go to standard output, one line of error to the other. */
export function run(words: readonly string[]): number {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever reads may have enough, as `head` does.
    if (error.code === 'EPIPE') return;
    complain(`cannot write the answer: ${error.code ?? error.message}`);
    process.exitCode = BAD_USAGE;
  });
  const tooOld = nodeObstacle();
  if (tooOld !== undefined) {
    complain(tooOld);
    return DOES_NOT_WORK;
  }
  try {
    const wanted = readOptions(words);
    if (wanted === 'help' || wanted === 'version') {
      process.stdout.write(wanted === 'help' ? HELP : `${version()}\n`);
      return WORKS;
    }
    return doctor(wanted === 'json');
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof HostUnusableError)) throw error;
    complain(error.message);
    return error instanceof UsageError ? BAD_USAGE : DOES_NOT_WORK;
  }
}

/** One line, without anything that a terminal would obey: messages quote what was typed. */
function complain(message: string): void {
  process.stderr.write(`guardstripe-memory-pool: ${message.replaceAll(/\p{Cc}+/gu, ' ')}\n`);
}

function doctor(json: boolean): number {
  const report = examine(gatherFacts());
  process.stdout.write(
    json ? `${JSON.stringify(report, undefined, 2)}\n` : showReport(report, styleOf(process.stdout)),
  );
  if (!report.works) return DOES_NOT_WORK;
  return report.defaultPool.fits ? WORKS : NOT_ALL_LIVE;
}

/** Of the package that this is a part of: its manifest lies two folders above the built command. */
function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** What is to be printed. */
function readOptions(words: readonly string[]): 'help' | 'version' | 'json' | 'text' {
  const { values, positionals } = parseWords(words);
  const [command, ...more] = positionals;
  if (values.help === true || command === 'help') return 'help';
  if (values.version === true) return 'version';
  if (command === undefined) throw new UsageError('say what to do: doctor (or help)');
  if (command !== 'doctor')
    throw new UsageError(`unknown command ${JSON.stringify(command)}: doctor or help`);
  if (more[0] !== undefined) throw new UsageError(`one word too many: ${JSON.stringify(more[0])}`);
  return values.json === true ? 'json' : 'text';
}

function parseWords(words: readonly string[]) {
  try {
    return util.parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    // Node adds advice on words that begin with a dash; the first sentence says what is wrong.
    const [sentence] = (error as Error).message.split(/\.?(?: To specify|\n)/);
    throw new UsageError(sentence ?? 'bad command line');
  }
}
