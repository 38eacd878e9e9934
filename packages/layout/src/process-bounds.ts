/**
 * What a process can have of what pools need, and what a slot takes of it: facts that the planner and the pool both go by, so
 * that what one promises the other holds.
 */
import { checkBoolean, checkInteger, checkObject, checkOneOf } from '@guardstripe/common';

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

/**
 * The same for a slot whose closed pages are guard markers inside of a mapping (`MADV_GUARD_INSTALL`): the mapping is one with its
 * neighbours', unless a protection key or an image is between them.
 *
 * @param isStriped - whether the neighbours have other keys
 */
export function mappingsOfGuardedSlot(
  accessiblePages: number,
  imagePages: number,
  isStriped: boolean,
): number {
  if (
    !Number.isSafeInteger(accessiblePages) ||
    !Number.isSafeInteger(imagePages) ||
    accessiblePages < 0 ||
    imagePages < 0
  ) {
    checkInteger(accessiblePages, 'accessiblePages');
    checkInteger(imagePages, 'imagePages');
  }
  checkBoolean(isStriped, 'isStriped');
  if (accessiblePages === 0) return 0;
  return (isStriped ? 1 : 0) + (imagePages === 0 ? 0 : 2);
}

/** Markers take 2 KiB of page tables a MiB: not worth it for more. */
const MAX_GUARDED_SLOT_BYTES = 16 * 2 ** 20;

/** What decides whether a pool's slots are closed by guard markers. */
export interface GuardFacts {
  readonly setting: 'auto' | 'enable' | 'disable';
  /** Whether the kernel has them, and accessible pages do not count before they are touched. */
  readonly canGuard: boolean;
  readonly numSlots: number;
  readonly slotBytes: number;
  /** Mappings that pools may hold: {@link mappingsForPools}. */
  readonly maxMappings: number;
}

/**
 * Whether they are: `'auto'` takes them where all slots would take more mappings than there are, and are not large. In stripes,
 * too: there each slot is a mapping still, which is half of what it takes without.
 */
export function usesGuardPages(facts: GuardFacts): boolean {
  checkObject(facts, 'facts');
  const { setting, canGuard, numSlots, slotBytes, maxMappings } = facts;
  checkOneOf(setting, 'facts.setting', ['auto', 'enable', 'disable']);
  checkBoolean(canGuard, 'facts.canGuard');
  checkInteger(numSlots, 'facts.numSlots');
  checkInteger(slotBytes, 'facts.slotBytes');
  if (maxMappings !== Infinity) checkInteger(maxMappings, 'facts.maxMappings');
  if (setting !== 'auto') return setting === 'enable';
  const isShort = numSlots * mappingsOfSlot(1, 0, 0) > maxMappings;
  return canGuard && isShort && slotBytes <= MAX_GUARDED_SLOT_BYTES;
}

/** Most mappings that a slot takes: an image in the middle of a memory has zeros on both sides. */
export const MAX_MAPPINGS_OF_SLOT: number = mappingsOfSlot(3, 1, 1);
