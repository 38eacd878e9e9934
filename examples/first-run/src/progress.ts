/** What the program says while it works: a spinner in a terminal, plain lines elsewhere, nothing beside `--json`. */
import { setImmediate } from 'node:timers/promises';
import { log, S_BAR, spinner, type SpinnerResult } from '@clack/prompts';

/** One step of the work, which may take a while. */
export interface Step {
  /** Says how far it is, where somebody watches. */
  update(message: string): Promise<void>;
  /** Something that is to be read when the step is over, too. */
  note(line: string): void;
  /** Ends the step; the message may have several lines. */
  done(message: string): void;
}

export interface Progress {
  step(title: string): Step;
  line(text: string): void;
  /** Ends the step that is running, if any, without a word: an error follows. */
  abort(): void;
}

export function progressFor(kind: 'terminal' | 'plain' | 'silent'): Progress {
  switch (kind) {
    case 'terminal':
      return terminalProgress();
    case 'plain':
      return plainProgress((text) => console.log(text));
    case 'silent':
      return plainProgress(() => {});
  }
}

function plainProgress(print: (text: string) => void): Progress {
  return {
    step: () => ({ update: () => Promise.resolve(), note: print, done: print }),
    line: print,
    abort: () => {},
  };
}

/** As a shell reports a process that SIGINT ended. */
const EXIT_CODE_INTERRUPTED = 130;

/** The prompts library ends the process with 0 at Ctrl-C; a run that was broken off must not look like one that passed. */
function reportInterruption(): void {
  process.exitCode = EXIT_CODE_INTERRUPTED;
}

function terminalProgress(): Progress {
  let running: SpinnerResult | undefined;
  const end = (): void => {
    running = undefined;
    process.removeListener('exit', reportInterruption);
  };
  return {
    step(title) {
      const notes: string[] = [];
      const own = (running = spinner());
      process.once('exit', reportInterruption);
      own.start(title);
      return {
        async update(message) {
          own.message(`${title}: ${message}`);
          // The spinner turns, and Ctrl-C is heard, only while nothing else runs.
          await setImmediate();
        },
        note: (line) => notes.push(line),
        done(message) {
          end();
          own.stop([message, ...notes].join('\n').replaceAll('\n', `\n${GUTTER}`));
        },
      };
    },
    line: (text) => log.message(text),
    abort() {
      running?.clear();
      end();
    },
  };
}

/** What the prompts library puts before all lines but the first. */
const GUTTER = `${S_BAR}  `;
