/** Bytes in and out of a map without a view: what cannot be touched is an error, not a signal. */

import { bytesOf, checkByteRange } from '@guardstripe/common';

import type { Mapping } from '../mapping.js';

export function read(mapping: Mapping, offset: number, byteLength: number): Uint8Array<ArrayBuffer> {
  mapping.assertOpen();
  checkByteRange(offset, byteLength, mapping.byteLength);
  const bytes = new Uint8Array(byteLength);
  if (byteLength !== 0) mapping.virtualMemory.readBytes(mapping.address + offset, bytes);
  return bytes;
}

export function readInto(mapping: Mapping, target: Uint8Array, offset: number): void {
  const into = checkRange(mapping, target, 'target', offset);
  if (into.byteLength !== 0) mapping.virtualMemory.readBytes(mapping.address + offset, into);
}

export function write(mapping: Mapping, offset: number, source: Uint8Array): void {
  const bytes = checkRange(mapping, source, 'bytes', offset);
  if (bytes.byteLength !== 0) mapping.virtualMemory.writeBytes(mapping.address + offset, bytes);
}

function checkRange(mapping: Mapping, given: unknown, name: string, offset: number): Uint8Array {
  mapping.assertOpen();
  const bytes = bytesOf(given, name);
  checkByteRange(offset, bytes.byteLength, mapping.byteLength, 'offset', `${name}.byteLength`);
  return bytes;
}
