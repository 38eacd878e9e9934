/**
 * Something for each import of a module, so that V8 instantiates it: functions that return 0, globals that are 0, tables
 * and memories of the smallest size. Names and kinds are what `WebAssembly.Module.imports` says; the types of globals,
 * tables and memories it does not say, so they are read from the bytes.
 */
import { Cursor, readSections, SectionId } from './wasm-sections.ts';
import { webAssembly, type ImportObject, type WasmModule } from './webassembly.ts';

type ImportType =
  | { readonly kind: 'global'; readonly value: string; readonly mutable: boolean }
  | { readonly kind: 'table'; readonly element: string; readonly initial: number; readonly maximum?: number }
  | { readonly kind: 'memory'; readonly initial: number; readonly maximum?: number }
  | { readonly kind: 'function' };

/** An import for which there is no stand-in: V8 cannot be asked what the module starts with. */
export class NoStubError extends Error {}

export function stubImports(module: WasmModule, bytes: Uint8Array): ImportObject {
  const types = readImportTypes(bytes);
  const stubs: ImportObject = {};
  for (const [index, { module: namespace, name }] of webAssembly.Module.imports(module).entries()) {
    (stubs[namespace] ??= {})[name] = stub(types[index] ?? { kind: 'function' });
  }
  return stubs;
}

function stub(type: ImportType): unknown {
  switch (type.kind) {
    case 'function':
      return () => 0;
    case 'global':
      return new webAssembly.Global(
        { value: type.value, mutable: type.mutable },
        type.value === 'i64' ? 0n : type.value === 'externref' || type.value === 'anyfunc' ? null : 0,
      );
    case 'table':
      return new webAssembly.Table(type);
    case 'memory':
      return new webAssembly.Memory(type);
  }
}

const VALUE_TYPES: Readonly<Record<number, string>> = {
  0x7f: 'i32',
  0x7e: 'i64',
  0x7d: 'f32',
  0x7c: 'f64',
  0x70: 'anyfunc',
  0x6f: 'externref',
};

function readImportTypes(bytes: Uint8Array): ImportType[] {
  const section = readSections(bytes).find(({ id }) => id === SectionId.import);
  if (section === undefined) return [];
  const cursor = new Cursor(bytes, section.start);
  return Array.from({ length: cursor.u32() }, () => {
    cursor.skipName();
    cursor.skipName();
    return readImportType(cursor);
  });
}

function readImportType(cursor: Cursor): ImportType {
  const kind = cursor.byte();
  switch (kind) {
    case 0:
      cursor.u32();
      return { kind: 'function' };
    case 1:
      return { kind: 'table', element: valueType(cursor), ...limits(cursor) };
    case 2:
      return { kind: 'memory', ...limits(cursor) };
    case 3:
      return { kind: 'global', value: valueType(cursor), mutable: cursor.byte() === 1 };
    default:
      throw new NoStubError(`it imports something of kind ${kind}, for which there is no stand-in here`);
  }
}

function valueType(cursor: Cursor): string {
  const code = cursor.byte();
  const type = VALUE_TYPES[code];
  if (type === undefined) {
    throw new NoStubError(
      `it imports a value of type 0x${code.toString(16)}, for which there is no stand-in here`,
    );
  }
  return type;
}

function limits(cursor: Cursor): { initial: number; maximum?: number } {
  const flags = cursor.byte();
  if (flags > 1) throw new NoStubError('it imports a shared or 64-bit memory or table');
  const initial = cursor.u32();
  return flags === 1 ? { initial, maximum: cursor.u32() } : { initial };
}
