/**
 * One style of `@throws`: the class first, as `{@link OwnError}` or, where it is not ours, as `` `TypeError` ``; or words that
 * say whose errors come through, beginning with "what" or "as".
 */
import { commentBlocks } from '../comments.ts';
import { code, type Files } from '../workspace.ts';

const GOOD = /^@throws (?:\{@link \w+\}|`\w+`|what |as )/;
const JSDOC_TYPE = /\{[A-Z]\w*\}/;
const BARE = /(?<![`\w.])(?:Type|Range|System)Error(?![`\w])/;

export function throwsStyle(files: Files): string[] {
  const found: string[] = [];
  for (const [path, text] of code(files)) {
    for (const block of commentBlocks(path, text)) {
      for (const { number, text: line } of tagLines(block)) {
        const wrong = line.startsWith('@throws') && !GOOD.test(line);
        const links = line.replaceAll(/\{@link [^}]*\}/g, '');
        if (wrong || JSDOC_TYPE.test(links) || BARE.test(links))
          found.push(
            `${path}:${number}: write @throws {@link OwnError}, @throws \`TypeError\`, or what is thrown in words`,
          );
      }
    }
  }
  return found;
}

/** The lines of `@throws` tags, with those on which they go on. */
function tagLines<Line extends { readonly text: string }>(block: readonly Line[]): Line[] {
  let inside = false;
  return block.filter(({ text }) => {
    if (text.startsWith('@')) inside = text.startsWith('@throws');
    if (text === '') inside = false;
    return inside;
  });
}
