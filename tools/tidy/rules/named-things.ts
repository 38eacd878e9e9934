/** Names in back quotes in comments exist: in the code, in the language, in Node or in the kernel. Renames leave some behind. */
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { commentBlocks } from '../comments.ts';
import { code, type Files, withEnding } from '../workspace.ts';

/** A name, a member of one, or a call without arguments. */
const NAME = /^(?:new )?#?[A-Za-z_$][\w$]*(?:\.#?[A-Za-z_$][\w$]*)*(?:\(\))?$/;
/** What nobody would take for a word: two words in one, or a private member. */
const COINED = /[a-z][A-Z]|_|^[A-Z][a-z]+[A-Z]|^#/;
const WORD = /#?[A-Za-z_$][\w$]*/g;

/** Of kernels, processors, C libraries and other programs, which no file here has to define. */
const ELSEWHERE = new Set(
  `ANON_VMA_NAME_MAX_LEN ELF_ET_DYN_BASE GetRandomMmapAddr OptimizeOptions RLIMIT_MEMLOCK UIO_MAXIOV
  f_bsize f_type is_valid_name_char max_async_calls kV8MaxWasmDataSegments kV8MaxWasmGlobals kV8MaxWasmMemories unprivileged_userfaultfd use_zero_pages`.split(
    /\s+/,
  ),
);

export function namedThings(files: Files): string[] {
  const known = knownNames(files);
  const found: string[] = [];
  for (const [path, text] of code(files)) {
    for (const { number, text: line } of commentBlocks(path, text).flat()) {
      for (const [, quoted] of line.matchAll(/`([^`]+)`/g)) {
        if (!NAME.test(quoted!)) continue;
        const unknown = (quoted!.match(WORD) ?? []).find((word) => COINED.test(word) && !known.has(word));
        if (unknown !== undefined) found.push(`${path}:${number}: nothing is named \`${unknown}\``);
      }
    }
  }
  return found;
}

function knownNames(files: Files): ReadonlySet<string> {
  const known = new Set([...ELSEWHERE, ...platformNames()]);
  for (const [path, text] of code(files)) {
    for (const word of withoutComments(path, text).match(WORD) ?? []) known.add(word);
  }
  for (const [, text] of withEnding(files, '.c', '.h', '.wat', '.json', '.yml')) {
    for (const word of text.match(WORD) ?? []) known.add(word);
  }
  return known;
}

function withoutComments(path: string, text: string): string {
  const lines = text.split('\n');
  for (const block of commentBlocks(path, text)) {
    for (const { number, text: comment } of block) {
      if (comment !== '') lines[number - 1] = lines[number - 1]!.replace(comment, '');
    }
  }
  return lines.join('\n');
}

let platform: ReadonlySet<string> | undefined;

/** What the declarations of the language and of Node name. */
function platformNames(): ReadonlySet<string> {
  if (platform !== undefined) return platform;
  const require = createRequire(import.meta.url);
  const folders = [
    dirname(require.resolve('typescript')),
    dirname(require.resolve('@types/node/package.json')),
  ];
  const names = new Set<string>();
  for (const folder of folders) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.d.ts'))) {
      for (const word of readFileSync(join(folder, file), 'utf8').match(WORD) ?? []) names.add(word);
    }
  }
  platform = names;
  return platform;
}
