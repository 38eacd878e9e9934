/** A place in a slab as a sentence, for an error message or a log. */
import { checkInteger, checkObject, invalidArgType, formatCount, formatHexBytes } from '@guardstripe/common';
import type { SlabLocation } from './locate.js';

/**
 * One sentence, without a full stop, that says where a byte is: `'offset 0x2400010 is 17 bytes past the end of the
 * memory in slot 0 (stripe 0), in the guard of its slot'`. Counts are in bytes and exact.
 *
 * @param location - what {@link locate} returned
 * @throws `TypeError` if it is not a location
 */
export function describeLocation(location: SlabLocation): string {
  checkObject(location, 'location');
  const { offset } = location;
  checkInteger(offset, 'location.offset', Number.MIN_SAFE_INTEGER);
  return `offset ${formatHexBytes(offset)} is ${describePlace(location)}`;
}

function describePlace(location: SlabLocation): string {
  switch (location.kind) {
    case 'outside':
      return location.side === 'before'
        ? `outside the slab, ${countBytes(location.distanceBytes, 'distanceBytes')} before its first byte`
        : `outside the slab, ${countBytes(location.distanceBytes, 'distanceBytes')} after its last byte`;
    case 'pre-guard':
      return `in the guard before the slots, ${countBytes(location.bytesBeforeSlots, 'bytesBeforeSlots')} before the end of that guard`;
    case 'memory':
      checkInteger(location.memoryOffset, 'location.memoryOffset');
      return `byte ${formatHexBytes(location.memoryOffset)} of the memory in ${slotName(location)}`;
    case 'ungrown':
      return `${overrun(location)}, where it has not grown to`;
    case 'slot-guard':
      return `${overrun(location)}, in the guard of its slot`;
    case 'neighbour':
      checkInteger(location.neighbourSlot, 'location.neighbourSlot');
      checkInteger(location.neighbourStripe, 'location.neighbourStripe');
      return (
        `${overrun(location)}, ` +
        `in its neighbour, slot ${location.neighbourSlot} (stripe ${location.neighbourStripe})`
      );
    case 'post-guard':
      return `${overrun(location)}, in the guard after the slots`;
    default:
      throw invalidArgType('location', 'a location from locate()', location);
  }
}

/** Nobody says "0 bytes past the end". */
function overrun(place: { slot: number; stripe: number; bytesPastEnd: number }): string {
  const distance =
    place.bytesPastEnd === 0 ? 'the first byte' : countBytes(place.bytesPastEnd, 'bytesPastEnd');
  return `${distance} past the end of the memory in ${slotName(place)}`;
}

function slotName(place: { slot: number; stripe: number }): string {
  checkInteger(place.slot, 'location.slot');
  checkInteger(place.stripe, 'location.stripe');
  return `slot ${place.slot} (stripe ${place.stripe})`;
}

function countBytes(bytes: number, name: string): string {
  checkInteger(bytes, `location.${name}`);
  return bytes === 1 ? '1 byte' : `${formatCount(bytes)} bytes`;
}
