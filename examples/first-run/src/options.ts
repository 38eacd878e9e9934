/** The command line. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly files: readonly string[];
  /** Slots asked for; `undefined` takes as many as the host has room for. */
  readonly slots: number | undefined;
  readonly json: boolean;
  readonly svg: string | undefined;
  readonly help: boolean;
}

/** The command line is wrong; the message is for the person who typed it. */
export class UsageError extends Error {}

export const HELP = `Usage: node examples/first-run/main.ts [options] [files...]

Makes a pool of linear memories, fills it with memories of real WebAssembly modules, and checks at each
step that every byte is what it must be. Without files it takes the modules of the npm packages in its
package.json.

Options:
  --slots N    slots of the pool, from 3 to 1000000 (default: as many as this host has room for)
  --svg FILE   where the picture of the slab goes (default: out/first-run-slab.svg beside this program)
  --json       print the result as JSON, and nothing else, on standard output
  --help       print this

Exit codes:
  0  everything was as it must be; a module that no pool can hold is named and left out
  1  something was not as it must be; the last lines say what
  2  the command line is wrong
  3  all that ran was as it must be, but a file is missing or not WebAssembly, or nothing was left to run
`;

const MIN_SLOTS = 3;
const MAX_SLOTS = 1_000_000;

export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  return {
    files: positionals,
    slots: values.slots === undefined ? undefined : parseSlots(values.slots),
    json: values.json ?? false,
    svg: values.svg,
    help: values.help ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        slots: { type: 'string' },
        svg: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nTry --help.`);
  }
}

function parseSlots(text: string): number {
  const slots = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (slots >= MIN_SLOTS && slots <= MAX_SLOTS) return slots;
  throw new UsageError(
    `--slots must be a whole number from ${MIN_SLOTS} to ${MAX_SLOTS}, received '${text}'`,
  );
}
