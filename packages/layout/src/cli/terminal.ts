/** What the terminal can show, if it is one. */
// As a whole: an older Node.js has not all of it, and must come as far as saying so.
import * as util from 'node:util';
import type { WriteStream } from 'node:tty';
import type { Style } from './show-plan.js';

const FORMATS = { good: 'green', error: 'red', warning: 'yellow', note: 'cyan', bold: 'bold' } as const;

/** Narrower terminals get lines that they break themselves. */
const MIN_WIDTH_CHARS = 40;

/** Colours and broken lines for a terminal, where `NO_COLOR` and its like allow it; neither for a pipe or a file. */
export function styleOf(stream: WriteStream | NodeJS.WriteStream): Style {
  const isTerminal = stream.isTTY;
  // Asks NO_COLOR, FORCE_COLOR and TERM.
  const hasColors = isTerminal && stream.hasColors();
  return {
    mark: (as, text) => (hasColors ? util.styleText(FORMATS[as], text, { validateStream: false }) : text),
    widthChars: isTerminal && stream.columns >= MIN_WIDTH_CHARS ? stream.columns : undefined,
  };
}

/** One line without anything that a terminal would obey: messages quote what was typed. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
