/**
 * Pages that several threads of a process have mapped once, at one address: the slab of a pool that they share. What one of them does
 * to the pages, all have done. Unlike {@link Mmap.shared}, there is no file, and no second mapping.
 */
import {
  checkBoolean,
  checkBytes,
  checkInstance,
  checkInteger,
  checkObject,
  checkPages,
  readOptions,
} from '@guardstripe/common';

import { checkVirtualMemory } from './checks.js';
import { jointThingGone, notShared } from './errors.js';
import { makeMap, Mmap } from './mmap.js';
import { mappingOf } from './mmap-pages.js';
import type { MmapOptions } from './operations/anonymous.js';
import { platform } from './platform/platform.js';
import type { JointHold } from './process/joint/things.js';
import { WHAT } from './process/joint/steps.js';
import { KIND_MAPPING } from './process/ledger.js';
import { handToProcess } from './process/owned.js';
import { jointState } from './process/process-state.js';
import type { VirtualMemory } from './platform/virtual-memory.js';

/** More than a process can have. */
const MAX_MAPPINGS = 0x7fff_ffff;

/** Where threads of this process find pages that others of them hold: plain data that `workerData` and `postMessage` carry. */
export interface JointMapHandle {
  readonly pid: number;
  /** Which of the process's joint things it is, and the number that was drawn for it: stale and made-up handles are found out. */
  readonly entry: number;
  readonly token: number;
  readonly address: number;
  readonly byteLength: number;
}

/**
 * Reserves address space as {@link Mmap.reserve} does, for all threads of the process: {@link jointHandleOf} says where it is, and
 * {@link adoptMap} attaches another thread. Each closes its own map; the pages go when the last attached thread has closed its, or
 * ended in whichever way. A thread whose views of the map are not collected yet stays attached until they are. `resize` refuses.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_THREADS_UNAVAILABLE` where the process's threads share nothing, `ERR_MMAP_TOO_MANY_SHARED` for the 1,025th
 */
export function reserveJointly(byteLength: number, options: MmapOptions = {}): Mmap {
  const { virtualMemory = platform() } = readOptions(options, ['virtualMemory']);
  checkVirtualMemory(virtualMemory);
  checkPages(byteLength, 'byteLength', virtualMemory.pageSize, 1);
  const hold = jointState().joint.make(KIND_MAPPING, byteLength, (values) => {
    const address = virtualMemory.reserve(byteLength);
    handToProcess(virtualMemory, address, byteLength, () => {
      values[WHAT] = address;
    });
  });
  return mapOf(hold, virtualMemory);
}

/**
 * Where other threads find a map of {@link reserveJointly} or {@link adoptMap}.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_NOT_SHARED` for other maps
 */
export function jointHandleOf(map: Mmap): JointMapHandle {
  const { place, what: address, howMuch: byteLength } = holdOf(map);
  return { pid: process.pid, ...place, address, byteLength };
}

/**
 * Attaches the calling thread to pages that another one holds, at the address where they are.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_SHARED_GONE` if no thread holds them any more, or the handle is made up, or another process's
 */
export function adoptMap(handle: JointMapHandle, options: MmapOptions = {}): Mmap {
  const { virtualMemory = platform() } = readOptions(options, ['virtualMemory']);
  checkVirtualMemory(virtualMemory);
  checkObject(handle, 'handle');
  // Each field once: reading it may run the caller's code.
  const { pid, entry, token, address, byteLength } = handle as Partial<JointMapHandle>;
  checkInteger(pid, 'handle.pid', 1);
  checkInteger(entry, 'handle.entry');
  checkInteger(token, 'handle.token', 1);
  checkInteger(address, 'handle.address', 1);
  checkBytes(byteLength, 'handle.byteLength', 1);
  const hold = pid === process.pid ? jointState().joint.attach({ entry, token }, KIND_MAPPING) : undefined;
  if (hold === undefined) throw gone();
  if (hold.what !== address || hold.howMuch !== byteLength) {
    hold.leave();
    throw gone();
  }
  return mapOf(hold, virtualMemory);
}

/**
 * Has the pages of a map that threads hold stay until the process ends, whoever closes it or ends: somebody unknown may still reach them.
 * The map can be used and closed as before. `isKept` false takes it back, for who knows that nobody does.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_NOT_SHARED` for other maps
 */
export function keepJointMap(map: Mmap, isKept = true): void {
  checkBoolean(isKept, 'isKept');
  holdOf(map).keepForGood(isKept);
}

/**
 * Counts mappings that a pool makes in pages that threads hold, or, with a negative number, gives up. They are part of what the pools of
 * the process hold ({@link ProcessState.mappings}) until the pages go, with whichever thread.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_NOT_SHARED` for other maps
 */
export function countJointMappings(map: Mmap, mappings: number): void {
  checkInteger(mappings, 'mappings', -MAX_MAPPINGS, MAX_MAPPINGS);
  holdOf(map).countMappings(mappings);
}

/** @throws {@link MmapClosedError}; `Error` `ERR_MMAP_NOT_SHARED` */
function holdOf(map: Mmap): JointHold {
  checkInstance(map, 'map', Mmap);
  const mapping = mappingOf(map);
  mapping.assertOpen();
  if (mapping.hold === undefined) throw notShared();
  return mapping.hold;
}

const gone = () => jointThingGone('mapping');

function mapOf(hold: JointHold, virtualMemory: VirtualMemory): Mmap {
  const { what: mapAddress, howMuch: mapBytes } = hold;
  return makeMap({ virtualMemory, mapAddress, mapBytes, leadBytes: 0, byteLength: mapBytes, hold });
}
