/** Checks of what callers pass in, one function a rule. Each throws before anything has changed. */
import { ArgumentTypeError, OutOfRangeError } from './errors.js';
import { MAX_MEMORY_INDEX, MAX_MODULE_ID } from './state.js';
import type { MemoryKey } from './types.js';

/** `value` is an integer from 0 to `max`. The common case is one line, so that it is inlined into the hot calls. */
export function checkInteger(value: unknown, field: string, max: number): asserts value is number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw badInteger(value, field, max);
  }
}

/** `value` can be read as a key. */
export function checkKey(value: unknown): asserts value is MemoryKey {
  if (typeof value !== 'object' || value === null) {
    throw new ArgumentTypeError('key', 'an object with moduleId and memoryIndex', value);
  }
}

/** `value` is a module id. */
export function checkModuleId(value: unknown): asserts value is number {
  checkInteger(value, 'key.moduleId', MAX_MODULE_ID);
}

/** `value` is a memory index. */
export function checkMemoryIndex(value: unknown): asserts value is number {
  checkInteger(value, 'key.memoryIndex', MAX_MEMORY_INDEX);
}

function badInteger(value: unknown, field: string, max: number): Error {
  if (typeof value !== 'number') return new ArgumentTypeError(field, 'of type number', value);
  return new OutOfRangeError(field, `an integer >= 0 and <= ${max}`, value);
}
