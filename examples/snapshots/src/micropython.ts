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

const load = loadMicroPython as (options: object) => Promise<MicroPython>;

/** A new interpreter. `print` hears what it prints, a line at a time. */
export async function openPython(print: (line: string) => void): Promise<Python> {
  let made: WebAssembly.Instance | undefined;
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (async (bytes: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports) => {
    const result = await instantiate(bytes, imports);
    made = result.instance;
    return result;
  }) as typeof instantiate;
  try {
    const python = await load({ stdout: print, linebuffer: true, heapsize: 2 ** 21 });
    if (made === undefined) throw new Error('MicroPython made no instance');
    return { run: (script) => void python.runPython(script), instance: made };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}
