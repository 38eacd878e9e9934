/** MicroPython from npm, which has no types, and hands out no instance: that is caught where it is made. */
// @ts-expect-error -- no types
import { loadMicroPython } from '@micropython/micropython-webassembly-pyscript/micropython.mjs';

export interface Python {
  /** Throws what Python raises. */
  readonly run: (script: string) => void;
  readonly instance: WebAssembly.Instance;
}

interface MicroPython {
  readonly runPython: (script: string) => unknown;
}

/**
 * What the interpreter itself needs of the host. Whatever else it imports serves Python's `js`, `jsffi` and `open()`: the host's
 * `globalThis`, and files that lie in JavaScript, where no snapshot reaches.
 */
const NEEDED =
  /^(invoke_\w+|mp_js_(random_u32|ticks_ms|time_ms)|fd_write|emscripten_resize_heap|_emscripten_throw_longjmp|_abort_js)$/;

/** As WASI numbers it. System calls of Emscripten return errors as negative numbers. */
const EPERM = 63;

/** Stands in for a function that a script must not reach. */
function shut(module: string, name: string): () => number {
  if (name.startsWith('__syscall_')) return () => -EPERM;
  if (module === 'wasi_snapshot_preview1') return () => EPERM;
  return () => {
    throw new Error('Python has no way to JavaScript here');
  };
}

function withoutHost(imports: WebAssembly.Imports): WebAssembly.Imports {
  const limited = Object.entries(imports).map(([module, values]) => {
    const kept = Object.entries(values).map(([name, value]) => {
      const isLeft = typeof value !== 'function' || NEEDED.test(name);
      return [name, isLeft ? value : shut(module, name)];
    });
    return [module, Object.fromEntries(kept) as WebAssembly.ModuleImports];
  });
  return Object.fromEntries(limited) as WebAssembly.Imports;
}

const load = loadMicroPython as (options: object) => Promise<MicroPython>;

/** A trap, or an error of JavaScript's, leaves the stack pointer where it was, which is no part of a snapshot: many would use the stack up. */
function keepingStack({ exports }: WebAssembly.Instance, run: Python['run']): Python['run'] {
  const top = exports['emscripten_stack_get_current'] as () => number;
  const restore = exports['_emscripten_stack_restore'] as (top: number) => void;
  return (script) => {
    const before = top();
    try {
      run(script);
    } finally {
      restore(before);
    }
  };
}

/**
 * A new interpreter, without a way to the host. `print` hears what it prints, a byte at a time: lines are put together in JavaScript, and
 * the start of one would wait there for the next script.
 */
export async function openPython(print: (byte: Uint8Array) => void): Promise<Python> {
  let made: WebAssembly.Instance | undefined;
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (async (bytes: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports) => {
    const result = await instantiate(bytes, withoutHost(imports));
    made = result.instance;
    return result;
  }) as typeof instantiate;
  try {
    const python = await load({ stdin: () => null, stdout: print, linebuffer: false, heapsize: 2 ** 21 });
    if (made === undefined) throw new Error('MicroPython made no instance');
    return { run: keepingStack(made, (script) => void python.runPython(script)), instance: made };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}
