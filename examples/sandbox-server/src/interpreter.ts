/** QuickJS with limits of time and memory, and a library loaded. */
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  RELEASE_SYNC,
  type QuickJSContext,
  type QuickJSWASMModule,
} from 'quickjs-emscripten';

/** What scripts may use without loading it. A stand-in for what a service of yours has: validators, templates, helpers. */
const LIBRARY = [
  'globalThis.lib = { version: 1 };',
  ...Array.from({ length: 4000 }, (_, i) => `lib.f${i} = function (a) { return a + ${i}; };`),
].join('\n');

/** Limits of one script. */
export interface Limits {
  readonly timeMs: number;
  /** Of the whole interpreter, in pages of 64 KiB, at least 256. */
  readonly memoryPages: number;
}

export const LIMITS: Limits = { timeMs: 100, memoryPages: 1024 };

/** Less than V8's stack has room for. */
const STACK_BYTES = 64 * 1024;

/** What came of a script. */
export type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

/** The interpreter broke, not the script: it must not be used again. */
export class BrokenInterpreterError extends Error {
  override readonly name = 'BrokenInterpreterError';
}

export class Interpreter {
  readonly memory: WebAssembly.Memory;
  readonly #module: QuickJSWASMModule;
  readonly #vm: QuickJSContext;
  readonly #timeMs: number;
  /** Belongs to JavaScript, so no snapshot has it: set before each script. */
  #deadline = Infinity;

  private constructor(memory: WebAssembly.Memory, module: QuickJSWASMModule, timeMs: number) {
    const vm = module.newRuntime().newContext();
    this.memory = memory;
    this.#module = module;
    this.#vm = vm;
    this.#timeMs = timeMs;
    vm.runtime.setMaxStackSize(STACK_BYTES);
    vm.runtime.setInterruptHandler(() => performance.now() > this.#deadline);
  }

  static async create({ timeMs, memoryPages }: Limits = LIMITS): Promise<Interpreter> {
    // QuickJS's own limit of memory counts no bytes in this build. This one holds: V8 refuses to grow beyond.
    const memory = new WebAssembly.Memory({ initial: 256, maximum: memoryPages });
    const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmMemory: memory }));
    return new Interpreter(memory, quickjs, timeMs);
  }

  /** A runtime and a context of its own in the same memory, as those use who make one for each request. */
  another(): Interpreter {
    return new Interpreter(this.memory, this.#module, this.#timeMs);
  }

  dispose(): void {
    this.#vm.dispose();
    this.#vm.runtime.dispose();
  }

  loadLibrary(): void {
    this.#vm.unwrapResult(this.#vm.evalCode(LIBRARY, 'library.js')).dispose();
  }

  /** Runs a script. What it returns is copied out; no handle is left, so that the memory can be restored. */
  run(script: string): Outcome {
    const vm = this.#vm;
    this.#deadline = performance.now() + this.#timeMs;
    try {
      const result = vm.evalCode(script, 'request.js');
      const handle = result.error ?? result.value;
      const value: unknown = vm.dump(handle);
      // That of a promise has been already.
      if (handle.alive) handle.dispose();
      return result.error === undefined ? { ok: true, value } : { ok: false, error: describe(value) };
    } catch (cause) {
      throw new BrokenInterpreterError('The interpreter broke', { cause });
    }
  }
}

/** Name and message may be anything, also what no text can be made of. */
function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { name, message } = error as { name?: unknown; message?: unknown };
  return `${typeof name === 'string' ? name : 'Error'}: ${typeof message === 'string' ? message : ''}`;
}
