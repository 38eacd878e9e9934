/**
 * An untrusted script a request, in QuickJS by its official wrapper. Each script runs in an interpreter that has a library loaded
 * already; afterwards nothing of it is left: no global, no polluted prototype, no heap.
 *
 * What others do is beside it: a fresh runtime and the library for each script, or one context for all and trust.
 */
import assert from 'node:assert/strict';

import { snapshot } from '@guardstripe/snapshot';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  RELEASE_SYNC,
  type QuickJSContext,
  type QuickJSWASMModule,
} from 'quickjs-emscripten';

import { line, medianMs } from './src/timing.ts';

const LIBRARY = Array.from({ length: 4000 }, (_, i) => `lib.f${i} = (a) => a + ${i};`).join('\n');
/** Pages of 64 KiB. QuickJS's own limit counts no bytes in this build, so the memory itself is the limit: 16 to 64 MiB. */
const MEMORY = { initial: 256, maximum: 1024 };

let deadline = Infinity;
const hostLog: string[] = [];

/** A context with everything that scripts may use. All handles that are made here are part of the snapshot, and live on. */
function prepare(quickjs: QuickJSWASMModule): QuickJSContext {
  const runtime = quickjs.newRuntime();
  // Less than V8's own stack has room for: what V8 breaks off leaves the interpreter's stack pointer where it was.
  runtime.setMaxStackSize(64 * 1024);
  runtime.setInterruptHandler(() => Date.now() > deadline);
  const vm = runtime.newContext();
  const log = vm.newFunction('log', (text) => void hostLog.push(vm.getString(text)));
  vm.setProp(vm.global, 'log', log);
  log.dispose();
  vm.unwrapResult(vm.evalCode(`globalThis.lib = {};\n${LIBRARY}`)).dispose();
  return vm;
}

/** Runs one script. Its result is copied out and its handle disposed of before anything is restored. */
function evaluate(vm: QuickJSContext, script: string): unknown {
  deadline = Date.now() + 500;
  const result = vm.evalCode(script);
  const handle = result.error ?? result.value;
  const value: unknown = vm.dump(handle);
  // That of a promise has been already.
  if (handle.alive) handle.dispose();
  return value;
}

const memory = new WebAssembly.Memory(MEMORY);
const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmMemory: memory }));
const vm = prepare(quickjs);
using warm = snapshot(memory);

function serve(script: string): unknown {
  try {
    return evaluate(vm, script);
  } finally {
    warm.restore();
  }
}

for (const hostile of [
  'globalThis.leak = "secret"; Object.prototype.polluted = 1; Array.prototype.push = null; lib.f1 = null; 1',
  'log("hello"); throw new Error("out")',
  'const deep = () => deep(); deep()',
  'const all = []; for (let i = 0; i < 200000; i++) all.push({ i }); all.length',
  'for (;;) {}',
  '(async () => 1n)()',
  'const a = []; for (;;) a.push("x".repeat(1e6 + a.length))',
]) {
  serve(hostile);
  const left = serve(
    '[typeof leak, ({}).polluted, typeof [].push, lib.f1(1), Object.keys(globalThis).length].join()',
  );
  assert.equal(left, `undefined,,function,2,${String(serve('Object.keys(globalThis).length'))}`);
}
assert.deepEqual(hostLog, ['hello']);
console.log(`nothing left of 7 hostile scripts; memory ${memory.buffer.byteLength >> 20} MiB`);

const script =
  'let sum = 0; for (let i = 0; i < 100; i++) sum += lib["f" + i](i); globalThis.leak = sum; sum';
line(`a script in the warm interpreter, restored (${warm.method})`, await medianMs(500, () => serve(script)));
line(
  'a fresh runtime with the library, as others do',
  await medianMs(20, () => {
    const fresh = prepare(quickjs);
    evaluate(fresh, script);
    fresh.dispose();
    fresh.runtime.dispose();
  }),
);
