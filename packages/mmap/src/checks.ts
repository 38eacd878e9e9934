/** Checks of what only this package has. They run in every build, before anything changes. */

import { checkOneOf, checkVirtualMemory as checkPlatform } from '@guardstripe/common';
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

/** Something that can stand in for a platform; its calls are not tried. */
export function checkVirtualMemory(value: unknown): asserts value is VirtualMemory {
  checkPlatform(value);
}
