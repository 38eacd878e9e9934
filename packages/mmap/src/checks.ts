/** Argument checks. They run in every build, before anything changes. */

import { invalidArgType, invalidArgValue, outOfRange } from './errors.js';
import { hex, size } from './format.js';
import type { Access, Sharing, VirtualMemory } from './platform/virtual-memory.js';

/** A non-negative safe integer, or a typed error that names the field. */
export function checkInteger(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw outOfRange(name, `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, value);
  }
}

/** A whole number of pages, at least `minimumPages` of them. */
export function checkPages(
  name: string,
  value: unknown,
  pageSize: number,
  minimumPages: 0 | 1,
): asserts value is number {
  checkInteger(name, value);
  if (value % pageSize !== 0) throw outOfRange(name, `a multiple of the page size, ${pageSize}`, value);
  if (value < minimumPages * pageSize)
    throw outOfRange(name, `at least one page of ${pageSize} bytes`, value);
}

/** A range of bytes inside of `totalBytes`. */
export function checkBytes(offset: unknown, byteLength: unknown, totalBytes: number): void {
  checkInteger('offset', offset);
  checkInteger('byteLength', byteLength);
  if (offset > totalBytes)
    throw outOfRange('offset', `at most the map's length, ${size(totalBytes)}`, offset);
  // Subtracted, not added: the sum of two safe integers need not be one.
  if (byteLength > totalBytes - offset) {
    throw outOfRange(
      'byteLength',
      `at most ${size(totalBytes - offset)} behind offset ${hex(offset)}`,
      byteLength,
    );
  }
}

const ACCESSES: ReadonlySet<unknown> = new Set<Access>(['none', 'read', 'read-write', 'read-execute']);

export function checkAccess(value: unknown): asserts value is Access {
  if (!ACCESSES.has(value)) {
    throw invalidArgValue('access', "'none', 'read', 'read-write' or 'read-execute'", value);
  }
}

export function checkFileAccess(value: unknown): asserts value is 'read' | 'read-write' {
  if (value !== 'read' && value !== 'read-write')
    throw invalidArgValue('access', "'read' or 'read-write'", value);
}

export function checkSharing(value: unknown): asserts value is Sharing {
  if (value !== 'shared' && value !== 'private') {
    throw invalidArgValue('sharing', "'shared' or 'private'", value);
  }
}

/** A flag of an options argument. */
export function checkFlag(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'a boolean', value);
}

/** An options argument: an object, or nothing. */
export function checkOptions(value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw invalidArgType('options', 'an object', value);
  }
}

/** Something that can stand in for a platform; its calls are not tried. */
export function checkVirtualMemory(value: unknown): asserts value is VirtualMemory {
  if (typeof value !== 'object' || value === null || !('pageSize' in value)) {
    throw invalidArgType('virtualMemory', 'a VirtualMemory', value);
  }
}
