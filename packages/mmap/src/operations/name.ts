/** Names for anonymous pages. */

import { checkInteger, invalidArgType, invalidArgValue } from '@guardstripe/common';
import type { Mapping } from '../mapping.js';

/** What the kernel takes (`is_valid_name_char`, mm/madvise.c): `ANON_VMA_NAME_MAX_LEN` is 80 with the final zero. */
const NAME = /^[ !"#%-Z^_a-~]{0,79}$/;

export function nameOf(
  mapping: Mapping,
  name: string | null,
  offset: number,
  byteLength: number | undefined,
): boolean {
  checkInteger(offset, 'offset');
  const rangeBytes = byteLength === undefined ? Math.max(0, mapping.byteLength - offset) : byteLength;
  const start = mapping.startOf(offset, rangeBytes);
  if (name !== null && typeof name !== 'string')
    throw invalidArgType('name', 'of type string, or null', name);
  if (name !== null && !NAME.test(name)) {
    throw invalidArgValue('name', 'must be at most 79 printable ASCII characters, none of []\\$`', name);
  }
  if (mapping.file !== undefined) throw invalidArgValue('name', 'must be given to maps of no file', name);
  if (rangeBytes === 0) return true;
  return mapping.virtualMemory.name(start, mapping.endOf(offset, rangeBytes) - start, name);
}
