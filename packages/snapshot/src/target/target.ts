/** What a snapshot is taken of: the parts of a target that have state which JavaScript can reach. */
import { invalidArgType, invalidArgValue } from '@guardstripe/common';

import { SharedMemoryError } from '../errors.js';
import { kindOf, processObstacle, webAssembly, type InstanceLike, type MemoryLike } from './webassembly.js';
import { SnapshotUnsupportedError } from '../errors.js';

/** An instance, its exports, or a memory; or several of them, as one. */
export type SnapshotTarget = SnapshotTargetPart | readonly SnapshotTargetPart[];

/** One part of a {@link SnapshotTarget}. `object` stands for the exports of an instance. */
export type SnapshotTargetPart = InstanceLike | MemoryLike | object;

/** The parts of a target, each once, in the order of its exports. */
export interface Target {
  readonly memories: readonly MemoryLike[];
  readonly globals: readonly object[];
  readonly tables: readonly object[];
  /** Exported functions by the names that two instances of one module share. */
  readonly functions: ReadonlyMap<string, unknown>;
  /** Instances and objects of exports that were given, to be found on the stack. */
  readonly roots: ReadonlySet<object>;
  /** What two instances of one module have in common: kinds, names and numbers of all exports. */
  readonly shape: readonly string[];
}

interface Parts {
  readonly memories: Set<MemoryLike>;
  readonly globals: Set<object>;
  readonly tables: Set<object>;
  readonly functions: Map<string, unknown>;
  readonly roots: Set<object>;
  readonly shape: string[];
}

/**
 * Takes a target apart.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no target, `ERR_INVALID_ARG_VALUE` for one without a memory
 * @throws {@link SharedMemoryError} for a shared memory, unless `threadsAtRest`
 */
export function resolveTarget(value: unknown, name: string, threadsAtRest: boolean): Target {
  const obstacle = processObstacle();
  if (obstacle !== undefined) throw new SnapshotUnsupportedError(obstacle);
  const parts: Parts = {
    memories: new Set(),
    globals: new Set(),
    tables: new Set(),
    functions: new Map(),
    roots: new Set(),
    shape: [],
  };
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const each of given) addPart(parts, each, name);
  const memories = [...parts.memories];
  if (memories.length === 0) {
    throw invalidArgValue(
      name,
      'must have a memory. One that an instance imports is not among its exports: pass [instance, memory]',
      value,
    );
  }
  if (!threadsAtRest && memories.some(isShared)) throw new SharedMemoryError();
  return { ...parts, memories, globals: [...parts.globals], tables: [...parts.tables] };
}

export function isShared(memory: MemoryLike): boolean {
  // By its tag: it may be of another realm.
  return Object.prototype.toString.call(webAssembly().bufferOf(memory)) === '[object SharedArrayBuffer]';
}

function addPart(parts: Parts, part: unknown, name: string): void {
  switch (kindOf(part)) {
    case 'memory':
      addExport(parts, '', part);
      return;
    case 'instance':
      parts.roots.add(part as object);
      addExports(parts, webAssembly().exportsOf(part as object));
      return;
    case 'global':
    case 'table':
      throw wrongKind(name, part);
    case undefined:
      if (!isExports(part)) throw wrongKind(name, part);
      addExports(parts, part);
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
  parts.roots.add(exported);
  for (const [name, value] of Object.entries(exported)) addExport(parts, name, value);
}

function addExport(parts: Parts, name: string, value: unknown): void {
  const kind = kindOf(value);
  switch (kind) {
    case 'memory':
      parts.memories.add(value as MemoryLike);
      break;
    case 'global':
      // A constant has no state; what it holds may be unreadable, too.
      if (isMutable(value as object)) parts.globals.add(value as object);
      break;
    case 'table':
      parts.tables.add(value as object);
      break;
    default:
      if (typeof value !== 'function') return;
      parts.functions.set(`${parts.roots.size} ${name}`, value);
  }
  parts.shape.push(`${kind ?? describeFunction(value as { name: string; length: number })} ${name}`);
}

/** V8 names an exported function by its number in the module. */
function describeFunction({ name, length }: { readonly name: string; readonly length: number }): string {
  return `function #${name}(${length})`;
}

/** Whether a global can be written; by writing what it holds. */
function isMutable(global: object): boolean {
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
