/** What a snapshot is taken of: the parts of a target that have state which JavaScript can reach. */
import { invalidArgType, invalidArgValue } from '@guardstripe/common';

import { SharedMemoryError } from '../errors.js';
import { floatAccess } from './float-bits.js';
import {
  kindOf,
  processObstacle,
  webAssembly,
  type InstanceLike,
  type Kind,
  type MemoryLike,
} from './webassembly.js';
import { SnapshotUnsupportedError } from '../errors.js';

/** An instance, its exports, or a memory; or several of them, as one. */
export type SnapshotTarget = SnapshotTargetPart | readonly SnapshotTargetPart[];

/** One part of a {@link SnapshotTarget}. `object` stands for the exports of an instance. */
export type SnapshotTargetPart = InstanceLike | MemoryLike | object;

/** The parts of a target, each once, in the order of its exports. */
export interface Target {
  readonly memories: readonly MemoryLike[];
  /** One for each of the memories. */
  readonly areShared: readonly boolean[];
  readonly globals: readonly object[];
  readonly tables: readonly object[];
  /** Everything exported, in order. */
  readonly exported: readonly unknown[];
  /** Instances and objects of exports that were given, to be found on the stack. */
  readonly roots: readonly object[];
  /** What two instances of one module have in common; one for each of `exported`. */
  readonly shape: readonly ExportShape[];
}

/** An export, without what is of its instance. */
export interface ExportShape {
  readonly kind: Kind | 'function';
  /** Empty for a memory that was given by itself. */
  readonly exportName: string;
  /** What V8 calls an exported function: its number in the module. */
  readonly number: string;
  /** Parameters of a function. */
  readonly length: number;
  /** Whether it is a global that can be written. */
  readonly isMutable: boolean;
}

interface Parts {
  /** What errors call the target. */
  readonly name: string;
  readonly memories: MemoryLike[];
  /** The only ones that there may be thousands of. */
  readonly globals: Set<object>;
  readonly tables: object[];
  readonly exported: unknown[];
  readonly roots: object[];
  readonly shape: ExportShape[];
  readonly model: readonly ExportShape[];
}

/**
 * Takes a target apart.
 *
 * @param model - what it is to be compared with. Constants are not tried again: that V8 refuses to write one takes several microseconds
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no target, `ERR_INVALID_ARG_VALUE` for one without a memory
 * @throws {@link SharedMemoryError} for a shared memory, unless `threadsAtRest`
 */
export function resolveTarget(
  value: unknown,
  name: string,
  threadsAtRest: boolean,
  model: readonly ExportShape[] = [],
): Target {
  const obstacle = processObstacle();
  if (obstacle !== undefined) throw new SnapshotUnsupportedError(obstacle);
  const parts: Parts = {
    name,
    memories: [],
    globals: new Set(),
    tables: [],
    exported: [],
    roots: [],
    shape: [],
    model,
  };
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const each of given) addPart(parts, each);
  const { memories, tables, exported, roots, shape } = parts;
  if (memories.length === 0) {
    throw invalidArgValue(
      name,
      'must have a memory. One that an instance imports is not among its exports: pass [instance, memory]',
      value,
    );
  }
  const areShared = memories.map(isShared);
  if (!threadsAtRest && areShared.includes(true)) throw new SharedMemoryError();
  return { memories, areShared, globals: [...parts.globals], tables, exported, roots, shape };
}

export function isShared(memory: MemoryLike): boolean {
  const buffer = webAssembly().bufferOf(memory);
  if (Object.getPrototypeOf(buffer) === ArrayBuffer.prototype) return false;
  // By its tag: it may be of another realm.
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}

function addPart(parts: Parts, part: unknown): void {
  const { name } = parts;
  switch (kindOf(part)) {
    case 'memory':
      addExport(parts, '', part);
      return;
    case 'instance':
      addOnce(parts.roots, part as object);
      addExports(parts, read(parts, part, webAssembly().exportsOf));
      return;
    case 'global':
    case 'table':
      throw wrongKind(name, part);
    case undefined:
      if (!isExports(part)) throw wrongKind(name, part);
      addExports(parts, part);
  }
}

/** What V8 reads of an object of its own. Others look like one: proxies, and what was made of a prototype. */
function read<T>({ name }: Parts, part: unknown, by: (object: object) => T): T {
  try {
    return by(part as object);
  } catch {
    throw wrongKind(name, part);
  }
}

function wrongKind(name: string, part: unknown): Error {
  const expected = 'a WebAssembly.Instance, its exports, a WebAssembly.Memory, or an array of them';
  return invalidArgType(name, expected, part);
}

/** A plain object or one without a prototype, as V8's own are: not an array in an array, a class of a library, a buffer. */
function isExports(part: unknown): part is object {
  if (typeof part !== 'object' || part === null) return false;
  try {
    const prototype: unknown = Object.getPrototypeOf(part);
    return prototype === null || prototype === Object.prototype;
  } catch {
    return false; // a revoked proxy
  }
}

function addExports(parts: Parts, exported: object): void {
  addOnce(parts.roots, exported);
  const values = exported as Readonly<Record<string, unknown>>;
  // Half as long as over entries.
  for (const name of Object.keys(values)) addExport(parts, name, values[name]);
}

function addOnce<T>(list: T[], value: T): void {
  if (!list.includes(value)) list.push(value);
}

function addExport(parts: Parts, exportName: string, value: unknown): void {
  const shape = shapeOf(parts, exportName, value);
  if (shape === undefined) return;
  if (shape.kind === 'memory') {
    read(parts, value, webAssembly().bufferOf);
    addOnce(parts.memories, value as MemoryLike);
  } else if (shape.kind === 'table') {
    read(parts, value, webAssembly().lengthOf);
    addOnce(parts.tables, value as object);
  }
  // A constant has no state; what it holds may be unreadable, too.
  if (shape.isMutable) parts.globals.add(value as object);
  parts.exported.push(value);
  parts.shape.push(shape);
}

function shapeOf(parts: Parts, exportName: string, value: unknown): ExportShape | undefined {
  if (typeof value === 'function')
    return { kind: 'function', exportName, number: value.name, length: value.length, isMutable: false };
  const kind = kindOf(value);
  if (kind === undefined || kind === 'instance') return undefined;
  const isMutable = kind === 'global' && !isKnownConstant(parts, exportName) && isWritable(value as object);
  return { kind, exportName, number: '', length: 0, isMutable };
}

function isKnownConstant({ model, shape }: Parts, exportName: string): boolean {
  const expected = model[shape.length];
  return expected?.kind === 'global' && expected.exportName === exportName && !expected.isMutable;
}

/** Whether a global can be written; by writing what it holds. */
function isWritable(global: object): boolean {
  const { valueOf, setValue } = webAssembly();
  let value: unknown;
  try {
    value = valueOf(global);
  } catch (error) {
    // Vectors and exceptions are nothing that JavaScript has. As constants they are no state either: V8 refuses a constant first.
    if (/immutable/i.test(messageOf(() => setValue(global, 0)))) return false;
    throw new SnapshotUnsupportedError(
      `a global is exported that JavaScript cannot read: ${(error as Error).message}`,
    );
  }
  // Written as JavaScript has it, a NaN would lose its bits.
  if (Number.isNaN(value) && floatAccess(global) !== undefined) return true;
  return messageOf(() => setValue(global, value)) === '';
}

function messageOf(attempt: () => void): string {
  try {
    attempt();
    return '';
  } catch (error) {
    return String(error);
  }
}
