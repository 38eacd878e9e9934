/** What the program says while it works: a spinner in a terminal, plain lines elsewhere, nothing beside `--json`. */
import { setImmediate } from 'node:timers/promises';
import { log, spinner } from '@clack/prompts';

/** One step of the work, which may take a while. */
export interface Step {
  /** Says how far it is, where somebody watches. */
  update(message: string): Promise<void>;
  done(message: string): void;
  /** Ends the step as one that came to nothing. */
  warn(message: string): void;
}

export interface Progress {
  step(title: string): Step;
  line(text: string): void;
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
    step: () => ({ update: () => Promise.resolve(), done: print, warn: print }),
    line: print,
  };
}

function terminalProgress(): Progress {
  return {
    step(title) {
      const running = spinner();
      running.start(title);
      return {
        async update(message) {
          running.message(`${title}: ${message}`);
          // The spinner turns, and Ctrl-C is heard, only while nothing else runs.
          await setImmediate();
        },
        done: (message) => running.stop(message),
        warn: (message) => running.error(message),
      };
    },
    line: (text) => log.message(text),
  };
}
