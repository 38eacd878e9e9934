/** What V8 makes of a module's memories: the bytes right after instantiation, before any function of the module ran. */
import { memoryName, name, unsigned } from '@guardstripe/wasm-builder';
import { join, leb, split } from './sections.ts';
import { webAssembly, type ImportDescriptor } from './web-assembly.ts';

/** What an imported memory has to be. */
export interface MemoryToImport {
  readonly address: 'i32' | 'i64';
  readonly shared: boolean;
  readonly initialPages: bigint;
  readonly maximumPages: bigint | undefined;
}

export type Reference =
  /** The memory's bytes, by its index. */
  | { readonly kind: 'memories'; readonly bytesOf: (memoryIndex: number) => Uint8Array }
  /** A segment, of data or of a table, lies out of bounds. */
  | { readonly kind: 'traps' }
  /** Something is imported that could not be made, or the host has no room. */
  | { readonly kind: 'not linked' };

/** Instantiates a module that V8 accepts. */
export function referenceOf(bytes: Uint8Array, imported: readonly MemoryToImport[]): Reference {
  const module = new webAssembly.Module(exportingAll(bytes, imported.length));
  const wanted = webAssembly.Module.imports(module);
  // A global's type is nowhere to be seen: one of the two fits, if all are of the same type.
  for (const globalType of ['i32', 'i64'] as const) {
    try {
      const { exports } = new webAssembly.Instance(module, makeImports(wanted, imported, globalType));
      return {
        kind: 'memories',
        bytesOf: (memoryIndex) => new Uint8Array(exports[memoryName(memoryIndex)]!.buffer),
      };
    } catch (error) {
      if (error instanceof webAssembly.RuntimeError) return { kind: 'traps' };
      if (!(
        error instanceof webAssembly.LinkError ||
        error instanceof TypeError ||
        error instanceof RangeError
      ))
        throw error;
    }
  }
  return { kind: 'not linked' };
}

/** The module with all its memories exported, and nothing else; its start function is left out. */
function exportingAll(bytes: Uint8Array, numImported: number): Uint8Array {
  const sections = split(bytes).filter(({ id }) => id !== 0 && id !== 7 && id !== 8);
  const memories = sections.find(({ id }) => id === 5);
  const count = numImported + (memories === undefined ? 0 : leb(memories.payload, 0).value);
  const entries = Array.from({ length: count }, (_, i) => [...name(memoryName(i)), 2, ...unsigned(i)]);
  const payload = Uint8Array.from([...unsigned(count), ...entries.flat()]);
  // Elements, the count of data segments, code and data come behind the exports.
  const behind = sections.findIndex(({ id }) => id >= 9 && id <= 12);
  return join(sections.toSpliced(behind === -1 ? sections.length : behind, 0, { id: 7, payload }));
}

function makeImports(
  wanted: readonly ImportDescriptor[],
  imported: readonly MemoryToImport[],
  globalType: 'i32' | 'i64',
): object {
  const imports: Record<string, Record<string, unknown>> = {};
  let nextMemory = 0;
  for (const { module, name: field, kind } of wanted) {
    const values = (imports[module] ??= {});
    const memory = kind === 'memory' ? imported[nextMemory++] : undefined;
    values[field] ??= memory === undefined ? makeImport(kind, globalType) : makeMemory(memory);
  }
  return imports;
}

function makeImport(kind: ImportDescriptor['kind'], globalType: 'i32' | 'i64'): unknown {
  switch (kind) {
    case 'function':
      return () => undefined;
    case 'table':
      return new webAssembly.Table({ element: 'anyfunc', initial: 10 });
    case 'global':
      return new webAssembly.Global({ value: globalType }, globalType === 'i32' ? 3 : 3n);
    case 'tag':
      return new webAssembly.Tag({ parameters: [] });
    case 'memory':
      throw new TypeError('more memories than were read');
  }
}

function makeMemory({ address, shared, initialPages, maximumPages }: MemoryToImport): object {
  const size = (pages: bigint): bigint | number => (address === 'i64' ? pages : Number(pages));
  return new webAssembly.Memory({
    address,
    initial: size(initialPages),
    ...(maximumPages !== undefined && { maximum: size(maximumPages) }),
    ...(shared && { shared }),
  });
}
