/** Checks of what callers pass in, one function a rule. Each throws before anything has changed. */
import { ArgumentTypeError, OutOfRangeError } from './errors.js';
import { MAX_INT32, MAX_MEMORY_INDEX, MAX_MODULE_ID } from './state.js';

/** `value` is an integer from 0 to `max`. */
export function checkInteger(value: unknown, field: string, max: number): asserts value is number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw badInteger(value, field, max);
  }
}

/**
 * Whether `value` is an integer from 0 to 2^31 - 1. The form of the hot calls: the engine makes two integer comparisons
 * of it, and it is so short that it does not count against what the engine is ready to inline.
 */
export function isIndex(value: unknown): value is number {
  return typeof value === 'number' && (value & MAX_INT32) === value;
}

/** `value` is an integer from 0 to `max`, which is below 2^31. */
export function checkIndex(value: unknown, field: string, max: number): asserts value is number {
  if (!isIndex(value) || value > max) throw badInteger(value, field, max);
}

/** Whether `value` can be read as a key. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The error for what is no key at all. */
export function badKey(key: unknown): Error {
  return new ArgumentTypeError('key', 'an object with moduleId and memoryIndex', key);
}

/** The error for the parts of a key, of which at least one is bad. */
export function badKeyPart(moduleId: unknown, memoryIndex: unknown): Error {
  return isIndex(moduleId) && moduleId <= MAX_MODULE_ID
    ? badInteger(memoryIndex, 'key.memoryIndex', MAX_MEMORY_INDEX)
    : badInteger(moduleId, 'key.moduleId', MAX_MODULE_ID);
}

/** The error for what is no integer from 0 to `max`. */
export function badInteger(value: unknown, field: string, max: number): Error {
  if (typeof value !== 'number') return new ArgumentTypeError(field, 'of type number', value);
  return new OutOfRangeError(field, `an integer >= 0 and <= ${max}`, value);
}
