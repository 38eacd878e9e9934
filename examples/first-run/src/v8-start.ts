/** What V8's own instance of a module starts with: the reference that the pool's memories are compared with. */
import type { PoolModule } from '@guardstripe/memory-pool';
import { comparableCopy, exportNameOf } from './comparable-copy.ts';
import { stubImports } from './import-stubs.ts';
import { webAssembly, type ImportObject, type WasmMemory, type WasmModule } from './webassembly.ts';

/** A module that V8 instantiates here, as often as wanted. */
export interface V8Template {
  readonly kind: 'template';
  readonly module: WasmModule;
  readonly imports: ImportObject;
  /** How the copy that V8 was given differs from the module. */
  readonly changes: readonly string[];
}

/** Why V8 cannot be compared with. */
export interface NoV8Template {
  readonly kind: 'none';
  readonly reason: string;
}

export function v8Template(bytes: Uint8Array, poolModule: PoolModule): V8Template | NoV8Template {
  const { memories } = poolModule;
  if (memories.some((memory) => memory.initialization === 'guest' && memory.kind === 'defined')) {
    return { kind: 'none', reason: 'where its data goes depends on what it imports' };
  }
  try {
    const indices = memories.flatMap((memory) => (memory.kind === 'defined' ? memory.index : []));
    const copy = comparableCopy(bytes, indices);
    const module = new webAssembly.Module(copy.bytes);
    const template = {
      kind: 'template',
      module,
      imports: stubImports(module, copy.bytes),
      changes: copy.changes,
    } as const;
    instantiate(template);
    return template;
  } catch (error) {
    return { kind: 'none', reason: `V8 says: ${(error as Error).message}` };
  }
}

/** Makes an instance; its own memories are in the result, by {@link memoryOf}. */
export function instantiate(template: V8Template): Readonly<Record<string, unknown>> {
  return new webAssembly.Instance(template.module, template.imports).exports;
}

export function memoryOf(exports: Readonly<Record<string, unknown>>, memoryIndex: number): WasmMemory {
  return exports[exportNameOf(memoryIndex)] as WasmMemory;
}
