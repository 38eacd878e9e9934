/**
 * What a process can have of what pools need, and what a slot takes of it: facts that the planner and the pool both go by, so
 * that what one promises the other holds.
 */
import { checkInteger } from '@guardstripe/common';

/** Protection keys that the hardware gives out (Intel SDM, volume 3, 4.6.2): sixteen, and key 0 is every page's default. */
export const MAX_PROTECTION_KEYS = 15;

/** Mappings of the process itself, as a planner takes it: Node has 300 to 500. A pool counts them. */
const MAPPINGS_OF_NODE = 512;

/**
 * Mappings that pools leave free. At `vm.max_map_count` the C library's and V8's next wish for memory fails, and ends the
 * process, and both add some while nobody counts.
 */
const MAPPINGS_MARGIN = 2048;

/** Mappings that pools leave to the rest of the process: its own, and those that it may come to need. */
export const MAPPINGS_LEFT_TO_NODE: number = MAPPINGS_OF_NODE + MAPPINGS_MARGIN;

/**
 * Mappings that pools may hold together in a process; `Infinity` without a limit.
 *
 * @param maxMapCount - Linux's `vm.max_map_count`
 * @param otherMappings - those of the process that no pool holds. Default 512, which Node does not reach by itself
 */
export function mappingsForPools(maxMapCount: number, otherMappings: number = MAPPINGS_OF_NODE): number {
  if (maxMapCount !== Infinity) checkInteger(maxMapCount, 'maxMapCount');
  checkInteger(otherMappings, 'otherMappings');
  return Math.max(maxMapCount - MAPPINGS_MARGIN - otherMappings, 0);
}

/**
 * Mappings that a slot takes: what is accessible, in up to three pieces around an image, and the inaccessible rest, which
 * they part from the next slot's. Nothing while all of it is inaccessible. All sizes are in pages.
 *
 * @param accessiblePages - from the slot's start, 0 or more
 * @param imageFirstPage - where the image lies, if there is one
 * @param imagePages - 0 for no image
 */
export function mappingsOfSlot(accessiblePages: number, imageFirstPage: number, imagePages: number): number {
  const isFine =
    Number.isSafeInteger(accessiblePages) &&
    Number.isSafeInteger(imageFirstPage) &&
    Number.isSafeInteger(imagePages) &&
    Math.min(accessiblePages, imageFirstPage, imagePages) >= 0;
  if (!isFine) {
    checkInteger(accessiblePages, 'accessiblePages');
    checkInteger(imageFirstPage, 'imageFirstPage');
    checkInteger(imagePages, 'imagePages');
  }
  if (accessiblePages === 0) return 0;
  if (imagePages === 0) return 2;
  const before = imageFirstPage > 0 ? 1 : 0;
  const behind = imageFirstPage + imagePages < accessiblePages ? 1 : 0;
  return before + 1 + behind + 1;
}

/** Most mappings that a slot takes: an image in the middle of a memory has zeros on both sides. */
export const MAX_MAPPINGS_OF_SLOT: number = mappingsOfSlot(3, 1, 1);
