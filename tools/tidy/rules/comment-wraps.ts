/** A line of a comment that ends in mid-sentence far short of the width, as is left behind when text is changed by hand. */
import { type CommentBlock, commentBlocks } from '../comments.ts';
import { code, type Files } from '../workspace.ts';

/** The first word of the next line would end well before where comments are wrapped, 110 to 128. */
const SHORT = 88;
/** Nothing in a comment is wider. */
const WIDTH = 140;

export function commentWraps(files: Files): string[] {
  const found: string[] = [];
  for (const [path, text] of code(files)) {
    for (const block of commentBlocks(path, text)) {
      for (const { number, width } of block) {
        if (width > WIDTH) found.push(`${path}:${number}: a comment of ${width} columns, over ${WIDTH}`);
      }
      found.push(
        ...shortLines(block).map(
          (number) => `${path}:${number}: broken in mid-sentence, far short of the width`,
        ),
      );
    }
  }
  return found;
}

function shortLines(block: CommentBlock): number[] {
  return block.flatMap(({ number, text, width }, i) => {
    const next = block[i + 1]?.text;
    if (next === undefined || !isProse(text) || !goesOn(next)) return [];
    const [word] = next.split(/\s/);
    return width + 1 + word!.length <= SHORT && !/[.:;!?)|>]$/.test(text) ? [number] : [];
  });
}

/** Not a picture, a table, a list's head or code: those are broken where they must be. */
function isProse(text: string): boolean {
  return /^(?:[-*\d] |\d+\. |@\w+ )?\S.*\w/.test(text) && !/ {3,}|[|│┌└─]|^```/.test(text);
}

function goesOn(next: string): boolean {
  return /^[\w`'"({[]/.test(next) && !/ {3,}|[|│┌└─]|^\d+\. |^- |^```/.test(next);
}
