/** British spelling, with `-ize` as in WebAssembly's and the API's `Initialization`; and slips that were made before. */
import { commentBlocks } from '../comments.ts';
import { code, type Files, withEnding } from '../workspace.ts';

const WRONG: readonly (readonly [RegExp, string])[] = [
  [
    /\b\w*(?:ial|im|al|on|gn|er|ar)is(?:e|es|ed|er|ing|ation|ations)\b/i,
    'with z: initialize, optimize, normalize',
  ],
  [/\bcolor(?:s|ed|ing)?\b/i, 'colour'],
  [/\bbehaviors?\b/i, 'behaviour'],
  [/\bneighbors?\b/i, 'neighbour'],
  [/\bcenter(?:s|ed)?\b/i, 'centre'],
  [/\bcancel(?:ed|ing)\b/i, 'cancelled, cancelling'],
  [/\b(?:label|model|signal)(?:ed|ing)\b/i, 'with ll: labelled, modelled'],
  [/\bdependan(?:t|cy)\b|\bindependan/i, 'dependent'],
  [/\b(?:recieve|seperate|occured|adress|lenght|teh|wich|untill|thier)\w*\b/i, 'a slip of the fingers'],
];
/** Words that end like the wrong ones and are right. */
const RIGHT =
  /\b(?:raise|praise|noise|poise|otherwise|likewise|premise|promise|precise|concise|exercise|rise|arise|wise|advise|revise|supervise|surprise|comprise|enterprise|compromise|disguise|expertise|chaise|malaise)[ds]?\b/i;

export function spelling(files: Files): string[] {
  const found: string[] = [];
  const check = (path: string, number: number, text: string): void => {
    const prose = text
      .replaceAll(/`[^`]*`|https?:\S+|\]\([^)]*\)/g, ' ')
      .replaceAll(new RegExp(RIGHT, 'gi'), ' ');
    for (const [wrong, right] of WRONG) {
      const word = wrong.exec(prose)?.[0];
      if (word !== undefined) found.push(`${path}:${number}: "${word}": ${right}`);
    }
  };
  for (const [path, text] of code(files)) {
    for (const line of commentBlocks(path, text).flat()) check(path, line.number, line.text);
    for (const [, name] of text.matchAll(
      /^\s*(?:export )?(?:function|class|interface|type|const|let) (\w+)/gm,
    )) {
      if (/(?:ialis|imis|malis)(?:e|es|ed|ation)(?![a-z])/i.test(name!))
        found.push(`${path}: the name "${name}": with z`);
    }
  }
  for (const [path, text] of withEnding(files, '.md')) {
    const lines = text.replaceAll(/^```[^]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, '')).split('\n');
    for (const [i, line] of lines.entries()) check(path, i + 1, line);
  }
  return found;
}
