/** Checks of what callers pass in, one function a rule. Each throws before anything has changed. */
import { checkInteger, invalidArgType, isReadable } from '@guardstripe/common';
import { MAX_INT32, MAX_MEMORY_INDEX, MAX_MODULE_ID } from './state.js';

/**
 * Whether `value` is an integer from 0 to 2^31 - 1. The form of the hot calls: the engine makes two integer comparisons
 * of it, and it is so short that it does not count against what the engine is ready to inline.
 */
export function isIndex(value: unknown): value is number {
  return typeof value === 'number' && (value & MAX_INT32) === value;
}

/** `value` is an integer from 0 to `max`, which is below 2^31. */
export function checkIndex(value: unknown, name: string, max: number): asserts value is number {
  if (!isIndex(value) || value > max) throwBadInteger(value, name, max);
}

/** Whether `value` can be read as a key. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The error for what is no key at all. */
export function badKey(key: unknown): Error {
  return invalidArgType('key', 'of type object, with moduleId and memoryIndex', key);
}

/** What to throw when reading a key threw: a revoked proxy is no key, and a getter's own error is the caller's. */
export function unreadableKey(key: object, error: unknown): unknown {
  return isReadable(key) ? error : badKey(key);
}

/** Throws the error for the parts of a key, of which at least one is bad. */
export function throwBadKeyPart(moduleId: unknown, memoryIndex: unknown): never {
  checkInteger(moduleId, 'key.moduleId', 0, MAX_MODULE_ID);
  throwBadInteger(memoryIndex, 'key.memoryIndex', MAX_MEMORY_INDEX);
}

/** Throws the error for what is no integer from 0 to `max`. Apart, so that the hot calls stay short. */
export function throwBadInteger(value: unknown, name: string, max: number): never {
  checkInteger(value, name, 0, max);
  throw new Error(`${name} was refused by a check that it passes`);
}
