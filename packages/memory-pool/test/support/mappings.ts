/** What the kernel tells of this process's mappings. */
import { readFileSync } from 'node:fs';

/** How many lie inside a range of addresses. */
export function mappingsOf(start: number, end: number): number {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => {
      const [from, to] = (line.split(' ', 1)[0] ?? '').split('-').map((text) => Number.parseInt(text, 16));
      return from !== undefined && to !== undefined && from < end && to > start;
    }).length;
}
