/** The comments of a program, as blocks of lines: `//` lines that follow each other are one block. */
import ts from 'typescript';
import { lineAt, parse } from './workspace.ts';

export interface CommentLine {
  readonly number: number;
  /** Column after the last character. */
  readonly width: number;
  /** Without the marks of a comment and the space behind them. */
  readonly text: string;
}

export type CommentBlock = readonly CommentLine[];

/** By text: several rules read the same comments. */
const read = new Map<string, readonly CommentBlock[]>();

export function commentBlocks(path: string, text: string): readonly CommentBlock[] {
  const known = read.get(text);
  if (known !== undefined) return known;
  const blocks = blocksOf(path, text);
  read.set(text, blocks);
  return blocks;
}

function blocksOf(path: string, text: string): CommentBlock[] {
  const blocks: CommentLine[][] = [];
  let lastLine: { readonly number: number; readonly column: number } | undefined;
  for (const { pos, end } of commentRanges(path, text)) {
    const lines = linesOf(text, pos, end);
    const column = pos - (text.lastIndexOf('\n', pos - 1) + 1);
    const isLine = text.startsWith('//', pos);
    const goesOn = isLine && lastLine?.number === lines[0]!.number - 1 && lastLine.column === column;
    if (goesOn) blocks.at(-1)!.push(...lines);
    else blocks.push(lines);
    lastLine = isLine ? { number: lines[0]!.number, column } : undefined;
  }
  return blocks;
}

/** What begins like a comment outside of strings, templates and regular expressions is one. */
function commentRanges(path: string, text: string): { readonly pos: number; readonly end: number }[] {
  const literals: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralExpression(node) || ts.isTemplateLiteralToken(node)) literals.push(node);
    ts.forEachChild(node, visit);
  };
  visit(parse(path, text));
  const ranges: { readonly pos: number; readonly end: number }[] = [];
  const comment = /\/\/.*|\/\*[^]*?\*\//g;
  for (let next = 0, match = comment.exec(text); match !== null; match = comment.exec(text)) {
    const { index } = match;
    while (next < literals.length && literals[next]!.end <= index) next++;
    const literal = literals[next];
    if (literal !== undefined && literal.getStart() <= index) comment.lastIndex = literal.end;
    else ranges.push({ pos: index, end: comment.lastIndex });
  }
  return ranges;
}

function linesOf(text: string, pos: number, end: number): CommentLine[] {
  const first = lineAt(text, pos);
  const start = text.lastIndexOf('\n', pos - 1) + 1;
  return text
    .slice(start, end)
    .split('\n')
    .map((line, i) => ({
      number: first + i,
      width: line.trimEnd().replace(/\s*\*\/$/, '').length,
      text: (i === 0 ? line.slice(pos - start) : line)
        .replace(/^\s*(?:\/\*\*?|\*(?!\/)|\/\/)?\s?/, '')
        .replace(/\s*\*\/$/, '')
        .trimEnd(),
    }));
}
