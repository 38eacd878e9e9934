/**
 * An untrusted Python script a request, in MicroPython. Each runs in an interpreter that has its modules loaded already; afterwards
 * nothing of it is left: no global, no module, no patched function. Python's `js` and its files, which lead out of the memory, are shut.
 *
 * What others do is beside it: a fresh interpreter for each script.
 */
import assert from 'node:assert/strict';

import { snapshot } from '@guardstripe/snapshot';

import { openPython, type Python } from './src/micropython.ts';
import { line, medianMs } from './src/timing.ts';

const LIBRARY = `
import json, re
${Array.from({ length: 200 }, (_, i) => `def f${i}(a): return a + ${i}`).join('\n')}
`;

let printed: Uint8Array[] = [];

async function prepare(): Promise<Python> {
  const python = await openPython((byte) => printed.push(byte));
  python.run(LIBRARY);
  return python;
}

const python = await prepare();
using warm = snapshot(python.instance);

/** What a script printed, or the last line of what it raised. */
function serve(script: string): string {
  printed = [];
  try {
    python.run(script);
    return Buffer.concat(printed).toString('utf8').trimEnd();
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1) ?? '';
  } finally {
    warm.restore();
  }
}

const SOUND = 'print(f7(1), json.dumps([1]), len(globals()))';
const expected = serve(SOUND);
assert.match(expected, /^8 \[1\] \d+$/);
for (const hostile of [
  'leak = "secret"; f7 = None; json = None; print("done")',
  'import sys; sys.modules["evil"] = 1; sys.path.append("/evil"); print("done")',
  'def deep(): return deep()\ndeep()',
  'all = [str(i) for i in range(50000)]; print("done")',
  'raise ValueError("out")',
  'import js; js.leak = "secret"',
  'import js; js.process.exit()',
  'import jsffi; jsffi.to_js([1]).constructor',
  'open("/leak", "w").write("secret")',
  'import os; os.mkdir("/leak")',
  'print("done, and the start of a line: secret", end="")',
]) {
  serve(hostile);
  assert.equal(serve(SOUND), expected);
  assert.match(serve('print(leak)'), /^NameError/);
  assert.match(serve('print(open("/leak").read())'), /^OSError/);
  assert.equal('leak' in globalThis, false);
  assert.equal(serve('import sys; print("evil" in sys.modules, "/evil" in sys.path)'), 'False False');
}
// Each is broken off in the middle of the interpreter, and uses up nothing of its stack.
for (let i = 0; i < 1000; i++) assert.match(serve('import js; js.leak'), /no way to JavaScript/);
assert.equal(serve(SOUND), expected);
console.log(`nothing left of 11 hostile scripts; ${warm.savedBytes >> 10} KiB saved`);

line(`a script in the warm interpreter, restored (${warm.method})`, await medianMs(300, () => serve(SOUND)));
line(
  'a fresh interpreter with the library, as others do',
  await medianMs(10, async () => (await prepare()).run(SOUND)),
);
