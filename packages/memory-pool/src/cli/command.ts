/** The command line: `doctor`, its options, its exit codes. */
import { parseArgs } from 'node:util';
import { examine } from './examine.js';
import { gatherFacts, HostUnusableError } from './facts.js';
import { showReport, styleOf } from './show.js';

const HELP = `Usage: guardstripe-memory-pool doctor [--json]

Says what this host offers to a memory pool, what the pool will therefore do, and what to change to do better. Changes
nothing. Run it where the pool will run: limits differ between a shell, a service and a container.

Options:
  --json       the answer as JSON, alone, on standard output; its "host" is what plan() of @guardstripe/layout takes
  -h, --help   print this

Exit codes:
  0  a pool with the default settings can be made here
  1  it cannot; the lines marked "fix" say why
  2  the command line is wrong, or the answer cannot be written
`;

const WORKS = 0;
const DOES_NOT_WORK = 1;
const BAD_USAGE = 2;

class UsageError extends Error {}

/** Runs the command and returns its exit code. Answers go to standard output, one line of error to the other. */
export function run(words: readonly string[]): number {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever reads may have enough, as `head` does.
    if (error.code === 'EPIPE') return;
    complain(`cannot write the answer: ${error.code ?? error.message}`);
    process.exitCode = BAD_USAGE;
  });
  try {
    const { json, help } = readOptions(words);
    if (help) {
      process.stdout.write(HELP);
      return WORKS;
    }
    return doctor(json);
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
  return report.works ? WORKS : DOES_NOT_WORK;
}

function readOptions(words: readonly string[]): { json: boolean; help: boolean } {
  const { values, positionals } = parseWords(words);
  const { json = false, help = false } = values;
  if (help) return { json, help };
  const [command, ...more] = positionals;
  if (command === undefined) throw new UsageError('say what to do: doctor (or --help)');
  if (command !== 'doctor') throw new UsageError(`unknown command ${JSON.stringify(command)}: doctor`);
  if (more[0] !== undefined) throw new UsageError(`one word too many: ${JSON.stringify(more[0])}`);
  return { json, help };
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    // Node adds advice on words that begin with a dash; the first sentence says what is wrong.
    const [sentence] = (error as Error).message.split(/\.?(?: To specify|\n)/);
    throw new UsageError(sentence ?? 'bad command line');
  }
}
