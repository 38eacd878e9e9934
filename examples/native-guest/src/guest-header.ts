/** Reads the header that wasm2c writes beside the C: the names and C types of what a module imports and exports. */

/** A WebAssembly number type. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';

export interface GuestFunction {
  /** As the module calls it. */
  readonly name: string;
  /** As wasm2c calls it. */
  readonly symbol: string;
  readonly params: readonly ValueType[];
  /** `undefined` for none. */
  readonly result: ValueType | undefined;
}

export interface ImportedFunction extends GuestFunction {
  readonly module: string;
  /** The C type of its first argument. */
  readonly hostType: string;
}

export interface GuestHeader {
  readonly imports: readonly ImportedFunction[];
  readonly exports: readonly GuestFunction[];
  /** Names under which the memory is exported. */
  readonly memoryNames: readonly string[];
  /** Modules that functions are imported from, in the order in which wasm2c's instantiate takes them. */
  readonly numImportModules: number;
}

/** A module that this loader cannot run. */
export class UnsupportedGuestError extends Error {
  override readonly name = 'UnsupportedGuestError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_UNSUPPORTED_GUEST';

  /** @internal */
  constructor(reason: string) {
    super(`Cannot run the module natively: ${reason}`);
  }
}

const VALUE_TYPES: Readonly<Record<string, ValueType>> = { u32: 'i32', u64: 'i64', f32: 'f32', f64: 'f64' };

const EXPORT = /^\/\* export: '(.*)' \*\/\n(.+?) (\w+)\((.*)\);$/gm;
const IMPORT = /^\/\* import: '(.*)' '(.*)' \*\/\n(.+?) (\w+)\((.*)\);$/gm;
const EXPORTED_MEMORY = /^\/\* export: '(.*)' \*\/\nwasm_rt_memory_t\* /gm;
const ANY_IMPORT = /^\/\* import: /gm;
const INSTANTIATE = /^void \w+_instantiate\((.*)\);$/m;

/**
 * The functions of a header that `wasm2c` 1.0.32 wrote. Exported memories, tables and globals are left out.
 *
 * @throws {@link UnsupportedGuestError} for imports that are no functions, and for types beyond numbers
 */
export function readGuestHeader(text: string): GuestHeader {
  const exports = [...text.matchAll(EXPORT)].flatMap(
    ([, name = '', result = '', symbol = '', params = '']) =>
      result.endsWith('*') ? [] : [guestFunction(name, symbol, result, params)],
  );
  const imports = [...text.matchAll(IMPORT)].map(
    ([, module = '', name = '', result = '', symbol = '', params = '']): ImportedFunction => ({
      ...guestFunction(name, symbol, result, params),
      module,
      hostType: params.split(', ')[0] ?? '',
    }),
  );
  const numImports = [...text.matchAll(ANY_IMPORT)].length;
  if (imports.length !== numImports || imports.some(({ hostType }) => !hostType.startsWith('struct '))) {
    throw new UnsupportedGuestError('it imports something that is not a function');
  }
  const instantiate = INSTANTIATE.exec(text)?.[1];
  if (instantiate === undefined) throw new UnsupportedGuestError('wasm2c wrote a header of an unknown form');
  const memoryNames = [...text.matchAll(EXPORTED_MEMORY)].map(([, name = '']) => name);
  return { imports, exports, memoryNames, numImportModules: instantiate.split(', ').length - 1 };
}

function guestFunction(name: string, symbol: string, result: string, params: string): GuestFunction {
  return {
    name,
    symbol,
    params: params
      .split(', ')
      .slice(1)
      .map((type) => valueType(type, name)),
    result: result === 'void' ? undefined : valueType(result, name),
  };
}

function valueType(cType: string, of: string): ValueType {
  const type = VALUE_TYPES[cType];
  if (type === undefined) throw new UnsupportedGuestError(`"${of}" has the type ${cType}`);
  return type;
}
