/** The slab as an SVG file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { draw, type SlabLayout } from '@guardstripe/layout';

/** Beside the program, wherever it is started. */
export const DEFAULT_SVG_PATH = join(import.meta.dirname, '..', 'out', 'first-run-slab.svg');

/** Writes the picture, and the folder it goes to; returns where it is. Throws Node's own error if it cannot. */
export function writePicture(layout: SlabLayout, path: string | undefined): string {
  const target = resolve(path ?? DEFAULT_SVG_PATH);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, draw(layout, { format: 'svg' }));
  return target;
}
