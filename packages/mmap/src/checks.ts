/** Checks of what only this package has. They run in every build, before anything changes. */

import {
  checkOneOf,
  checkString,
  checkVirtualMemory as checkPlatform,
  invalidArgValue,
} from '@guardstripe/common';
import type { Access, Sharing, VirtualMemory } from './platform/virtual-memory.js';

const ACCESSES: readonly Access[] = ['none', 'read', 'read-write', 'read-execute'];

export function checkAccess(value: unknown, name = 'access'): asserts value is Access {
  checkOneOf(value, name, ACCESSES);
}

export function checkFileAccess(value: unknown): asserts value is Exclude<Access, 'none'> {
  checkOneOf(value, 'options.access', ['read', 'read-write', 'read-execute']);
}

export function checkSharing(value: unknown): asserts value is Sharing {
  checkOneOf(value, 'options.sharing', ['shared', 'private']);
}

/** Linux's limit on the name of a memory file, in bytes without the final zero (`memfd_create(2)`). */
const MAX_NAME_BYTES = 249;

/** The name of a memory file, as `/proc/self/maps` shows it. */
export function checkMemoryName(value: unknown): asserts value is string {
  checkString(value, 'options.name');
  if (value.includes('\0') || Buffer.byteLength(value) > MAX_NAME_BYTES) {
    throw invalidArgValue('options.name', `must be at most ${MAX_NAME_BYTES} bytes without a zero`, value);
  }
}

/** Something that can stand in for a platform; its calls are not tried. */
export function checkVirtualMemory(value: unknown): asserts value is VirtualMemory {
  checkPlatform(value);
}
