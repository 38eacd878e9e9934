import { describe, expect, it } from 'vitest';
import { rules } from '../rules/index.ts';

type Planted = Readonly<Record<string, string>>;

/** What each rule must find, as the places it names, and what looks like it and is right. */
interface Cases {
  readonly wrong: readonly { readonly files: Planted; readonly places: readonly string[] }[];
  readonly right: readonly Planted[];
}

const lines = (count: number): string => 'code();\n'.repeat(count);
const WIDE =
  'words that go on and on until the line is as wide as comments are in this workspace, about a hundred columns';

/** A rule without planted violations does not compile. */
const cases: Record<keyof typeof rules, Cases> = {
  'comments are wrapped at the width': {
    wrong: [
      {
        files: { 'a.ts': `/**\n * ${WIDE} and then\n * breaks off\n * in the middle.\n */\n` },
        places: ['a.ts:3'],
      },
      { files: { 'a.mjs': `{\n  // breaks off\n  // in the middle\n}\n` }, places: ['a.mjs:2'] },
      { files: { 'a.ts': `// ${'wide '.repeat(32)}\n` }, places: ['a.ts:1'] },
    ],
    right: [
      { 'a.ts': `/**\n * ${WIDE}\n * and ends.\n *\n * Another paragraph.\n */\n` },
      { 'a.ts': '/**\n * A sentence.\n * Another one.\n * - a list\n * - of things\n */\n' },
      { 'a.ts': '// slot   | guard   |\n// of one | of two  |\n' },
      { 'a.ts': 'const text = `\n  // no comment\n  // at all\n`;\n' },
      { 'a.ts': '// one thing\nf();\n// another thing\n' },
    ],
  },
  '@throws has one style': {
    wrong: [
      { files: { 'a.ts': '/** @throws {TypeError} if it is none */\n' }, places: ['a.ts:1'] },
      { files: { 'a.ts': '/**\n * @throws TypeError if it is none\n */\n' }, places: ['a.ts:2'] },
      {
        files: { 'a.ts': '/**\n * @throws {@link OwnError} at first,\n *   RangeError after that\n */\n' },
        places: ['a.ts:3'],
      },
      { files: { 'a.ts': '/** @throws if it is none */\n' }, places: ['a.ts:1'] },
    ],
    right: [
      {
        'a.ts':
          '/**\n * @throws {@link OwnError}; `RangeError` if it is larger\n * @throws what `free` throws\n */\n',
      },
      { 'a.ts': '/** @param a - a TypeError of yours */\n' },
    ],
  },
  'spelling is British, with -ize': {
    wrong: [
      { files: { 'a.ts': '// This is initialised.\nf();\n' }, places: ['a.ts:1'] },
      { files: { 'a.md': '# A\n\nIts color and behavior.\n' }, places: ['a.md:3', 'a.md:3'] },
      { files: { 'a.ts': 'interface Initialisation {}\n' }, places: ['a.ts'] },
      { files: { 'a.md': 'You recieve it.\n' }, places: ['a.md:1'] },
    ],
    right: [
      { 'a.ts': '// Otherwise it is raised, and the colour is `color`.\nconst color = initialised;\n' },
      { 'a.md': '```ts\n// color\n```\nSee https://example.com/color and [it](color.md): no compromise.\n' },
    ],
  },
  'names in comments exist': {
    wrong: [
      { files: { 'a.ts': '/** Calls `goneFunction()`. */\nf();\n' }, places: ['a.ts:1'] },
      { files: { 'a.ts': '/** See `Known.#gone`. */\nclass Known {}\n' }, places: ['a.ts:1'] },
      {
        files: { 'a.ts': '/** `oldName`, as in `b.ts`. */\n', 'b.ts': '// oldName was here\n' },
        places: ['a.ts:1'],
      },
    ],
    right: [
      {
        'a.ts': '/** Calls `newFunction()`, `word` and `structuredClone`. */\n',
        'b.ts': 'function newFunction() {}\n',
      },
      { 'a.ts': '/** `in_c`, `inJson` */\n', 'b.c': 'int in_c;\n', 'c.json': '{ "inJson": 1 }\n' },
    ],
  },
  'paths in documents and comments exist': {
    wrong: [
      { files: { 'docs/a.md': 'See `src/gone.ts`.\n' }, places: ['docs/a.md:1'] },
      {
        files: { 'docs/a.md': '[There](./gone.md) and [there](../b.md)\n', 'b.md': '' },
        places: ['docs/a.md:1'],
      },
      { files: { 'a.md': '```sh\nnode tools/gone.ts\n```\n' }, places: ['a.md:2'] },
      {
        files: { 'packages/a/src/b.ts': '/** As `test/gone.test.ts` shows. */\n' },
        places: ['packages/a/src/b.ts:1'],
      },
      { files: { 'a.md': 'In `packages/gone/`\n' }, places: ['a.md:1'] },
    ],
    right: [
      { 'docs/a.md': '[There](b.md#part), `docs/b.md`, `dist/index.js`, `@scope/name`\n', 'docs/b.md': '' },
      {
        'packages/a/src/b.ts': '/** `test/*.test.ts`, `src/b.ts`, `packages/a` */\n',
        'packages/a/test/c.test.ts': '',
      },
    ],
  },
  'files are short': {
    wrong: [
      { files: { 'a.ts': lines(351) }, places: ['a.ts'] },
      { files: { 'a.test.ts': lines(421) }, places: ['a.test.ts'] },
    ],
    right: [{ 'a.ts': lines(350), 'b.test.ts': lines(420), 'a.json': lines(1000) }],
  },
  'folders are small': {
    wrong: [
      {
        files: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`packages/a/src/b/${i}.ts`, ''])),
        places: ['packages/a/src/b'],
      },
    ],
    right: [
      Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`packages/a/src/${i % 2}/${i}.ts`, ''])),
    ],
  },
  "tests lie at their source's path": {
    wrong: [
      {
        files: { 'packages/a/src/b/c.ts': '', 'packages/a/test/c.test.ts': '' },
        places: ['packages/a/test/c.test.ts'],
      },
      {
        files: { 'examples/a/src/c.ts': '', 'examples/a/test/b/c.test.ts': '' },
        places: ['examples/a/test/b/c.test.ts'],
      },
      {
        files: { 'packages/a/src/c.ts': '', 'packages/a/test/b/d.test.ts': '' },
        places: ['packages/a/test/b/d.test.ts'],
      },
    ],
    right: [
      {
        'packages/a/src/b/c.ts': '',
        'packages/a/test/b/c.test.ts': '',
        'packages/a/test/b/c-more.test.ts': '',
      },
      {
        'packages/a/src/b/c.ts': '',
        'packages/a/test/b/topic.test.ts': '',
        'packages/a/test/topic.test.ts': '',
      },
    ],
  },
};

describe.each(Object.entries(cases))('%s', (name, { wrong, right }) => {
  const rule = rules[name as keyof typeof rules];

  it.each(wrong)('finds $places', ({ files, places }) => {
    const found = rule(new Map(Object.entries(files)));
    expect(found.map((line) => line.slice(0, line.indexOf(': ')))).toEqual(places);
  });

  it.each(right.map((files) => ({ files })))('leaves $files alone', ({ files }) => {
    expect(rule(new Map(Object.entries(files)))).toEqual([]);
  });
});
