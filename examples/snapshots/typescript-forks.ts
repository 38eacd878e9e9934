/**
 * An interpreter with a slow start, started once and forked: QuickJS with the TypeScript compiler loaded, nine megabytes of
 * JavaScript. Each fork is an instance of its own that shares the compiler's heap until it writes.
 *
 * A fork of the wrapper's objects: whoever makes the same calls in the same order gets the same pointers, so `vm` of a fork fits the
 * memory that is laid under it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { snapshot } from '@guardstripe/snapshot';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  RELEASE_SYNC,
  type QuickJSContext,
} from 'quickjs-emscripten';

import { duration, line, medianMs } from './src/timing.ts';

interface Sandbox {
  readonly vm: QuickJSContext;
  readonly memory: WebAssembly.Memory;
}

/** Pages of 64 KiB that the module asks for at least, and at most. */
const [FEWEST_PAGES, MOST_PAGES] = [256, 32_768];

/** Each has a memory of its own, large enough from the start: the wrapper's views follow no growth but its own. */
async function open(pages = FEWEST_PAGES): Promise<Sandbox> {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: MOST_PAGES });
  const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmMemory: memory }));
  const runtime = quickjs.newRuntime();
  runtime.setMaxStackSize(512 * 1024);
  return { vm: runtime.newContext(), memory };
}

function evaluate({ vm }: Sandbox, code: string): unknown {
  const result = vm.evalCode(code);
  const handle = result.error ?? result.value;
  const value: unknown = vm.dump(handle);
  // That of a promise has been already.
  if (handle.alive) handle.dispose();
  if (result.error !== undefined) throw new Error(JSON.stringify(value));
  return value;
}

const transpile = (sandbox: Sandbox, source: string): unknown =>
  evaluate(sandbox, `ts.transpileModule(${JSON.stringify(source)}, {}).outputText.trim()`);

const compiler = readFileSync(createRequire(import.meta.url).resolve('typescript'), 'utf8');
const start = performance.now();
const first = await open();
evaluate(first, `var module = { exports: {} }; ${compiler}; globalThis.ts = module.exports; ts.version`);
transpile(first, 'let warm: boolean = true');
const startMs = performance.now() - start;

using started = snapshot(first.memory);

async function fork(): Promise<Sandbox> {
  const sandbox = await open(started.byteLength / 65_536);
  started.restoreInto(sandbox.memory);
  return sandbox;
}

const forks: Sandbox[] = [];
const forkMs = await medianMs(10, async () => forks.push(await fork()));
for (const [i, each] of forks.entries()) {
  evaluate(each, `globalThis.tenant = ${i}`);
  assert.equal(transpile(each, `let n: number = ${i}`), `"use strict";\nlet n = ${i};`);
}
forks.forEach((each, i) => assert.equal(evaluate(each, 'tenant'), i));
assert.equal(evaluate(first, 'typeof tenant'), 'undefined');
console.log(
  `${forks.length} forks, ${started.savedBytes >> 20} MiB of heap each, shared; every answer right`,
);
line('starting QuickJS with the TypeScript compiler', startMs);
line('a fork of it, with an instance and a context of its own', forkMs);
const again = forks[0];
assert.ok(again);
line(
  'a fork taken back after use',
  await medianMs(5, () => {
    transpile(again, 'enum E { A, B }');
    started.restoreInto(again.memory);
  }),
);
console.log(`the snapshot itself: ${duration(await medianMs(3, () => snapshot(first.memory).close()))}`);
