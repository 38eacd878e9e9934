import type { SlabLayout } from '../../src/index.js';
import type { ModelLayout } from './model.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** The figures of a layout as the vectors and the model write them. */
export function figuresOf(layout: SlabLayout): ModelLayout {
  const { pageSize: _, ...parts } = layout;
  return { ...parts, totalSlabBytes: layout.totalSlabBytes };
}
