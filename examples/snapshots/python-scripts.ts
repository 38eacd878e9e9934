/**
 * An untrusted Python script a request, in MicroPython. Each runs in an interpreter that has its modules loaded already; afterwards
 * nothing of it is left: no global, no module, no patched function.
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

let printed: string[] = [];

async function prepare(): Promise<Python> {
  const python = await openPython((text) => printed.push(text));
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
    return printed.join('\n');
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
]) {
  assert.match(serve(hostile), /^(done|RuntimeError|ValueError)/);
  assert.equal(serve(SOUND), expected);
  assert.match(serve('print(leak)'), /^NameError/);
  assert.equal(serve('import sys; print("evil" in sys.modules, "/evil" in sys.path)'), 'False False');
}
console.log(`nothing left of 5 hostile scripts; ${warm.savedBytes >> 10} KiB saved`);

line(`a script in the warm interpreter, restored (${warm.method})`, await medianMs(300, () => serve(SOUND)));
line(
  'a fresh interpreter with the library, as others do',
  await medianMs(10, async () => (await prepare()).run(SOUND)),
);
