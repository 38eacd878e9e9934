/**
 * What one call of an imported function costs that takes ten numbers, as those of the chatty guest do: natively compiled code calling a
 * C function, C that keeps the arguments for JavaScript to read later, JavaScript through koffi; and V8's own code calling JavaScript.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

/** Calls for each turn: as many as the chatty guest makes. */
export const CALLS = 2000;
const PARAMS = 10;

const TYPES = Array.from({ length: PARAMS }, () => 'int');
const C_SOURCE = `
typedef void (*import)(${TYPES.join(', ')});
static int kept[${CALLS}][${PARAMS}];
static unsigned heard;
static void in_c(${TYPES.map((type, i) => `${type} p${i}`).join(', ')}) {
  int* to = kept[heard++ % ${CALLS}];
  ${TYPES.map((_, i) => `to[${i}] = p${i};`).join(' ')}
}
int* arguments(void) { return &kept[0][0]; }
void* c_import(void) { return (void*)in_c; }
void run(void* function, int n) {
  import volatile f = (import)function;
  for (int i = 0; i < n; i++) f(${TYPES.map((_, i) => `i + ${i}`).join(', ')});
}
`;

/**
 *     (module (import "e" "f" (func (param i32 x 10)))
 *       (func (export "run") (param i32) (loop (call 0 (local.get 0) x 10)
 *         (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
 */
const WASM = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 18, 2, 0x60, 10, ...Array.from({ length: PARAMS }, () => 0x7f), 0, 0x60, 1, 0x7f, 0],
  ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
  ...[3, 2, 1, 1],
  ...[7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 1],
  ...[10, 38, 1, 36, 0, 3, 0x40],
  ...Array.from({ length: PARAMS }, () => [0x20, 0]).flat(),
  ...[0x10, 0, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b],
);

/** One way of crossing. */
export interface Crossing {
  readonly name: string;
  /** Makes {@link CALLS} calls. */
  readonly run: () => void;
}

/** All of them, and how to give back what they hold. */
export function crossings(): Disposable & { readonly ways: readonly Crossing[] } {
  const folder = mkdtempSync(join(tmpdir(), 'guardstripe-crossing-'));
  const library = loadC(folder);
  let sum = 0;
  const add = (...args: number[]): void => {
    sum += args[0]! + args[9]!;
  };
  const run = library.func('run', 'void', ['void *', 'int']) as (f: unknown, n: number) => void;
  const inC = (library.func('c_import', 'void *', []) as () => unknown)();
  const callback = koffi.register(add, koffi.pointer(koffi.proto('void', TYPES)));
  const address = (library.func('arguments', 'uintptr_t', []) as () => number)();
  const kept = new Int32Array(koffi.view(address, CALLS * PARAMS * 4));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(WASM), { e: { f: add } });
  const runV8 = instance.exports['run'] as (n: number) => void;
  return {
    ways: [
      { name: 'a C function', run: () => run(inC, CALLS) },
      {
        name: 'a C function that keeps the arguments, and JavaScript that reads them in the end',
        run: () => {
          run(inC, CALLS);
          for (let at = 0; at < kept.length; at += PARAMS) sum += kept[at]! + kept[at + 9]!;
        },
      },
      { name: 'JavaScript, through koffi', run: () => run(callback, CALLS) },
      { name: "JavaScript, from V8's WebAssembly", run: () => runV8(CALLS) },
    ],
    [Symbol.dispose]: () => {
      if (Number.isNaN(sum)) throw new Error('What was heard is no number');
      koffi.unregister(callback);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function loadC(folder: string): ReturnType<typeof koffi.load> {
  const [source, path] = [join(folder, 'crossing.c'), join(folder, 'crossing.so')];
  writeFileSync(source, C_SOURCE);
  const cc = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', path, source], { encoding: 'utf8' });
  if (cc.status !== 0) throw new Error(`cc: ${cc.error?.message ?? cc.stderr}`);
  return koffi.load(path);
}
