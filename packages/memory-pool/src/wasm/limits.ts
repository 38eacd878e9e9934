/** How much of the host a module may ask for when it is read. Work and memory grow in proportion to these, and to nothing else. */
import { checkInteger, parseBytes, readOptions } from '@guardstripe/common';

/**
 * The limits of {@link describeModule}, each with a default that no module of a compiler comes near. Bytes may be given as text, such as
 * `'64MiB'`.
 */
export interface ModuleLimits {
  /** Bytes of the module. They are copied once, and the copy is dropped when the module is described. @defaultValue 256 MiB */
  readonly maxModuleBytes: number;
  /** Sections, custom ones included. @defaultValue 10,000 */
  readonly maxSections: number;
  /** Memories, imported ones included. @defaultValue 100,000, V8's own limit */
  readonly maxMemories: number;
  /** Globals, imported ones included: the offset of a segment may be one. @defaultValue 1,000,000, V8's own limit */
  readonly maxGlobals: number;
  /** Data segments, passive ones included. @defaultValue 100,000, V8's own limit */
  readonly maxDataSegments: number;
  /** Bytes of the images of all the module's memories together, in whole host pages. @defaultValue 1 GiB */
  readonly maxImageBytes: number;
}

/** Limits as they are given: bytes are numbers, or sizes as text. */
export type GivenLimits = {
  readonly [Name in keyof ModuleLimits]?: Name extends `${string}Bytes` ? number | string : number;
};

/** The module asks for more than the limits of `describeModule` allow. */
export class ModuleLimitError extends RangeError {
  override readonly name = 'ModuleLimitError';
  readonly code = 'ERR_MODULE_LIMIT';
  /** The option that said no, among `limits`. */
  readonly limit: keyof ModuleLimits;
  /** What it allows. */
  readonly maximum: number;
  /** What the module has or announces. */
  readonly actual: number;

  constructor(limit: keyof ModuleLimits, maximum: number, actual: number) {
    super(`Cannot read the module: it has ${WHAT[limit](actual)}, and limits.${limit} is ${maximum}`);
    this.limit = limit;
    this.maximum = maximum;
    this.actual = actual;
  }
}

const WHAT: Readonly<Record<keyof ModuleLimits, (actual: number) => string>> = {
  maxModuleBytes: (actual) => `${actual} bytes`,
  maxSections: (actual) => `${actual} sections or more`,
  maxGlobals: (actual) => `${actual} globals`,
  maxMemories: (actual) => `${actual} memories`,
  maxDataSegments: (actual) => `${actual} data segments`,
  maxImageBytes: (actual) => `images of ${actual} bytes together`,
};

/**
 * V8's are `kV8MaxWasmMemories`, `kV8MaxWasmGlobals` and `kV8MaxWasmDataSegments` of its `wasm-limits.h`; esbuild comes
 * with 98,450 segments.
 */
export const DEFAULT_LIMITS: ModuleLimits = Object.freeze({
  maxModuleBytes: 2 ** 28,
  maxSections: 10_000,
  maxMemories: 100_000,
  maxGlobals: 1_000_000,
  maxDataSegments: 100_000,
  maxImageBytes: 2 ** 30,
});

/**
 * The limits with their defaults filled in.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `RangeError` `ERR_OUT_OF_RANGE`
 */
export function resolveLimits(limits?: unknown): ModuleLimits {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof ModuleLimits)[];
  const given = readOptions(limits, names, 'options.limits');
  const resolved = { ...DEFAULT_LIMITS };
  for (const name of names) {
    const value = given[name];
    if (value === undefined) continue;
    const path = `options.limits.${name}`;
    resolved[name] = name.endsWith('Bytes') ? parseBytes(value, path) : countOf(value, path);
  }
  return resolved;
}

function countOf(value: unknown, path: string): number {
  checkInteger(value, path);
  return value;
}

/** @throws {@link ModuleLimitError} if `actual` is more than the limit */
export function checkLimit(limits: ModuleLimits, name: keyof ModuleLimits, actual: number): void {
  if (actual > limits[name]) throw new ModuleLimitError(name, limits[name], actual);
}
