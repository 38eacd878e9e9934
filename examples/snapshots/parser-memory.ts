/**
 * A parser whose heap grows with the largest file that it ever saw, and with every tree that somebody forgot to delete: tree-sitter, by
 * its official wrapper. Restored after each file, nothing of either is left.
 *
 * What others do is beside it: delete every tree, keep the memory, or start the parser anew.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import { snapshot } from '@guardstripe/snapshot';
import { Language, Parser } from 'web-tree-sitter';

import { line, medianMs } from './src/timing.ts';

/** Pages of 64 KiB: 32 MiB, as the module asks for, to 2 GiB. */
const MEMORY = { initial: 512, maximum: 32_768 };
const GRAMMAR = createRequire(import.meta.url).resolve('tree-sitter-json/tree-sitter-json.wasm');

const memory = new WebAssembly.Memory(MEMORY);
// Emscripten's own option, which the wrapper's types leave out.
await Parser.init({ wasmMemory: memory } as object);
const parser = new Parser();
parser.setLanguage(await Language.load(GRAMMAR));

/** What is asked of a tree. The tree is left to whoever comes after. */
function shape(text: string): string {
  const tree = parser.parse(text);
  assert.ok(tree);
  return tree.rootNode.toString();
}

const SMALL = '{"a": [1, 2, {"b": null}]}';
const LARGE = `[${Array.from({ length: 40_000 }, (_, i) => `{"id": ${i}, "tags": ["x", "y"]}`).join(',\n')}]`;
const expected = shape(SMALL);

using fresh = snapshot(memory);
const before = memory.buffer.byteLength;
shape(LARGE);
const grown = memory.buffer.byteLength;
const held = fresh.changedBytes();
assert.ok(grown > before, 'the memory grew');
fresh.restore();
assert.equal(fresh.changedBytes(), 0);
for (let i = 0; i < 300; i++) {
  assert.equal(shape(SMALL), expected);
  fresh.restore();
}
assert.equal(memory.buffer.byteLength, grown);
console.log(
  `a large file: ${grown >> 20} MiB of addresses, ${held >> 20} MiB written; 0 bytes differ after the restore`,
);

line(`a small file, restored (${fresh.method})`, await medianMs(200, () => (shape(SMALL), fresh.restore())));
line(
  'a small file, its tree deleted, the memory kept',
  await medianMs(200, () => {
    const tree = parser.parse(SMALL);
    tree?.rootNode.toString();
    tree?.delete();
  }),
);
