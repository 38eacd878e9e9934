/** Bytes in and out of a map without a view: what cannot be touched is an error, not a signal. */

import { checkByteRange, checkInstance } from '@guardstripe/common';

import type { Mapping } from '../mapping.js';

export function read(mapping: Mapping, offset: number, byteLength: number): Uint8Array<ArrayBuffer> {
  mapping.assertOpen();
  checkByteRange(offset, byteLength, mapping.byteLength);
  const bytes = new Uint8Array(byteLength);
  if (byteLength !== 0) mapping.virtualMemory.readBytes(mapping.address + offset, bytes);
  return bytes;
}

export function readInto(mapping: Mapping, target: Uint8Array, offset: number): void {
  checkRange(mapping, target, 'target', offset);
  if (target.byteLength !== 0) mapping.virtualMemory.readBytes(mapping.address + offset, target);
}

export function write(mapping: Mapping, offset: number, bytes: Uint8Array): void {
  checkRange(mapping, bytes, 'bytes', offset);
  if (bytes.byteLength !== 0) mapping.virtualMemory.writeBytes(mapping.address + offset, bytes);
}

function checkRange(mapping: Mapping, bytes: unknown, name: string, offset: number): void {
  mapping.assertOpen();
  checkInstance(bytes, name, Uint8Array);
  checkByteRange(offset, bytes.byteLength, mapping.byteLength, 'offset', `${name}.byteLength`);
}
