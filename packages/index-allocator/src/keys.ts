/** Reads a key once, for callers that can afford an object. */
import { badKey, isIndex, isObject, throwBadKeyPart, unreadableKey } from './checks.js';
import { MAX_MEMORY_INDEX, MAX_MODULE_ID } from './state.js';

/** A key as records have it: the module id plus one, 0 for nobody. */
export interface KeyParts {
  readonly tag: number;
  readonly memoryIndex: number;
}

const NOBODY: KeyParts = { tag: 0, memoryIndex: 0 };

/** The key's parts; those of nobody if there is none. */
export function readKey(key: unknown): KeyParts {
  return key === undefined ? NOBODY : readGivenKey(key);
}

/**
 * The key's parts. For calls that are made most: what it returns is always made here, so the engine makes no object of it where it puts
 * this in line.
 */
export function readGivenKey(key: unknown): KeyParts {
  if (!isObject(key)) throw badKey(key);
  let moduleId: unknown;
  let memoryIndex: unknown;
  try {
    ({ moduleId, memoryIndex } = key as { moduleId: unknown; memoryIndex: unknown });
  } catch (error) {
    throw unreadableKey(key, error);
  }
  if (
    !isIndex(moduleId) ||
    moduleId > MAX_MODULE_ID ||
    !isIndex(memoryIndex) ||
    memoryIndex > MAX_MEMORY_INDEX
  ) {
    throwBadKeyPart(moduleId, memoryIndex);
  }
  return { tag: moduleId + 1, memoryIndex };
}
