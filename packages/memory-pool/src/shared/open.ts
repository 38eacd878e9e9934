/** Making a pool that threads share, and having it in another thread. */
import { isMainThread, threadId } from 'node:worker_threads';
import { SharedIndexAllocator } from '@guardstripe/index-allocator';
import { platform, processStateObstacle, SystemError, type VirtualMemory } from '@guardstripe/mmap';
import type { SlabLayout } from '@guardstripe/layout';
import type { KeyLease } from '@guardstripe/mpk';
import type { ReadConfig, ResolvedConfig } from '../config.js';
import { PoolCore } from '../core/pool-core.js';
import { onAttach, type AttachEvent } from '../diagnostics.js';
import { PoolAttachError, PoolClosedError, PoolCreationError } from '../errors.js';
import { decideGuardPages, planSlab, whyNotReserved } from '../slab/slab.js';
import { takeKeys } from '../slab/stripes.js';
import { decideReset } from '../slots/reset-options.js';
import { Attachments } from './attachments.js';
import { SharedModules } from '../threads/shared-modules.js';
import { buffersOf, SharedSide } from './shared-side.js';
import { SharedSlab } from './slab.js';
import {
  makeState,
  openState,
  readHandle,
  type SharedPoolHandle,
  type SharedSettings,
  type SharedState,
} from './state.js';
import { thisThread, type ThisThread } from './thread.js';

/** A pool as this thread has it. */
export interface OpenedPool {
  readonly config: ResolvedConfig;
  readonly core: PoolCore;
  readonly side: SharedSide;
}

/** @throws {@link PoolCreationError} */
export function makeSharedPool(read: ReadConfig, virtualMemory: VirtualMemory): OpenedPool {
  const thread = thisThread();
  if (thread === undefined)
    throw new PoolCreationError(`Cannot create a shared pool: ${processStateObstacle() ?? 'not supported'}`);
  const { resolved: config } = decideReset(read, virtualMemory);
  if (config.totalMemories === 0)
    throw new PoolCreationError('Cannot create a shared pool without slots: totalMemories is 0');
  const lease = takeKeys(config, virtualMemory);
  try {
    const layout = planSlab(config, virtualMemory, lease.keys.length);
    const slab = reserve(config, layout, virtualMemory, lease.keys.length);
    try {
      const guardPages = decideGuardPages(config, layout, virtualMemory);
      const settings = { config, guardPages, keys: slab.shareKeys(lease) };
      return open(make(settings, layout, slab, thread), lease, virtualMemory);
    } catch (error) {
      slab.close();
      throw error;
    }
  } catch (error) {
    lease.dispose();
    throw error;
  }
}

/** What threads are to have in common, with this one attached. */
function make(settings: SharedSettings, layout: SlabLayout, slab: SharedSlab, thread: ThisThread): Opening {
  const { threads } = thread;
  const { maxUnusedWarmSlots } = settings.config;
  const allocators = Array.from({ length: layout.numStripes }, (_, stripe) =>
    SharedIndexAllocator.create(layout.slotsInStripe(stripe), maxUnusedWarmSlots, { threads }),
  );
  const modules = SharedModules.create(threads);
  const others = { indexAllocators: buffersOf(allocators), modules: modules.buffer };
  const state = makeState(layout.numSlots, slab.place, settings, others);
  const seat = new Attachments(state, threads).enter(threadId);
  return { state, layout, side: new SharedSide(state, allocators, modules, slab, seat, thread) };
}

/** @throws {@link PoolAttachError}, {@link PoolClosedError}, `TypeError` `ERR_INVALID_ARG_TYPE` */
export function attachSharedPool(given: SharedPoolHandle): OpenedPool {
  const handle = readHandle(given);
  const state = openState(handle);
  const thread = thisThread();
  if (thread === undefined) throw new PoolAttachError(processStateObstacle() ?? 'not supported');
  const virtualMemory = platform();
  const { config, keys } = state.settings;
  const layout = planSlab(config, virtualMemory, keys.length);
  const isWhole =
    layout.numSlots === state.numSlots &&
    atLeastAPage(layout.totalSlabBytes, virtualMemory) === state.slab.byteLength &&
    keys.length === (layout.numStripes === 1 ? 0 : layout.numStripes);
  if (!isWhole) throw new PoolAttachError('the handle was written to');
  const modules = SharedModules.attach(handle.modules, thread.threads);
  // Before the seat: whoever leaves meanwhile is then not the last who has it.
  const slab = SharedSlab.adopt(state.slab);
  const allocators: SharedIndexAllocator[] = [];
  const attachments = new Attachments(state, thread.threads);
  let seat: number | undefined;
  let lease: KeyLease | undefined;
  let pool: OpenedPool;
  try {
    seat = attachments.enter(threadId);
    lease = slab.adoptKeys(keys);
    attachAllocators(allocators, handle, layout, thread);
    const side = new SharedSide(state, allocators, modules, slab, seat, thread);
    pool = open({ state, layout, side }, lease, virtualMemory);
  } catch (error) {
    for (const allocator of allocators) allocator.close();
    if (seat !== undefined) attachments.leave(seat);
    if (lease === undefined) slab.close();
    else slab.closeWith(lease);
    throw error;
  }
  // Who hears of it may do anything.
  pool.core.reclaim();
  if (onAttach.hasSubscribers) {
    const attachedThreads = attachments.living().length;
    onAttach.publish({ threadId, attachedThreads } satisfies AttachEvent);
  }
  return pool;
}

/** Pools that this thread has, by where their slabs lie. They stay until they are closed, or the thread ends. */
const opened = new Map<number, PoolCore>();
let isWatching = false;

/** This thread's way into the state, before there is a pool. */
interface Opening {
  readonly state: SharedState;
  readonly layout: SlabLayout;
  readonly side: SharedSide;
}

function open({ state, layout, side }: Opening, lease: KeyLease, virtualMemory: VirtualMemory): OpenedPool {
  const { config, guardPages } = state.settings;
  const { options } = decideReset({ given: config, resolved: config, virtualMemory }, virtualMemory);
  const { slab } = side;
  const core = new PoolCore(slab, layout, {
    ...options,
    guardPages,
    // The kernel tells one thread's restorer alone.
    strategies: options.strategies.filter((strategy) => strategy !== 'watch'),
    keys: lease,
    shared: side,
    maxUnusedWarmSlots: config.maxUnusedWarmSlots,
    maxCollectionShare: config.maxCollectionShare,
    decommitBatchSize: config.decommitBatchSize,
    maxUnusedBytesResident: config.maxUnusedBytesResident,
  });
  opened.set(slab.address, core);
  watch();
  return { config, core, side };
}

/** What ended threads held comes back as soon as it is known; what this one holds, before it ends, where it ends by itself. */
function watch(): void {
  if (isWatching) return;
  isWatching = true;
  thisThread()?.state.onReaped(() => {
    for (const core of opened.values()) if (!core.closed) core.reclaim();
  });
  if (isMainThread) return;
  process.once('exit', () => {
    for (const core of opened.values())
      if (!core.closed) core.close(() => new PoolClosedError('allocate a memory'));
  });
}

/** Forgets a pool that was closed. */
export function forget(core: PoolCore): void {
  if (opened.get(core.slabAddress) === core) opened.delete(core.slabAddress);
}

function atLeastAPage(byteLength: number, { pageSize }: VirtualMemory): number {
  return Math.max(byteLength, pageSize);
}

function reserve(
  config: ResolvedConfig,
  { totalSlabBytes }: SlabLayout,
  virtualMemory: VirtualMemory,
  numKeys: number,
): SharedSlab {
  try {
    return SharedSlab.reserve(atLeastAPage(totalSlabBytes, virtualMemory), virtualMemory);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw whyNotReserved(config, totalSlabBytes, virtualMemory, cause, numKeys);
  }
}

/** Attaches to the allocator of each stripe; those that are attached when one is refused are in `allocators`. */
function attachAllocators(
  allocators: SharedIndexAllocator[],
  { indexAllocators }: SharedPoolHandle,
  layout: SlabLayout,
  { threads }: ThisThread,
): void {
  for (let stripe = 0; stripe < layout.numStripes; stripe++) {
    const indexAllocator = indexAllocators[stripe];
    if (indexAllocator === undefined) throw new PoolAttachError('the handle was written to');
    const allocator = SharedIndexAllocator.attach({ indexAllocator }, { threads });
    allocators.push(allocator);
    if (allocator.capacity !== layout.slotsInStripe(stripe))
      throw new PoolAttachError("the handle's parts are of two pools");
  }
}
