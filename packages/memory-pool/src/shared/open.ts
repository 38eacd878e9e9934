/** Making a pool that threads share, and having it in another thread. */
import { isMainThread, threadId } from 'node:worker_threads';
import { SharedIndexAllocator } from '@guardstripe/index-allocator';
import { platform, processStateObstacle, SystemError, type VirtualMemory } from '@guardstripe/mmap';
import { keys } from '@guardstripe/mpk';
import type { ReadConfig, ResolvedConfig } from '../config.js';
import { PoolCore } from '../core/pool-core.js';
import { onAttach, type AttachEvent } from '../diagnostics.js';
import { PoolAttachError, PoolClosedError, PoolCreationError } from '../errors.js';
import { decideGuardPages, planSlab, whyNotReserved } from '../slab/slab.js';
import { decideReset } from '../slots/reset-options.js';
import { Attachments } from './attachments.js';
import { SharedModules } from '../threads/shared-modules.js';
import { SharedSide } from './shared-side.js';
import { SharedSlab } from './slab.js';
import { makeState, openState, type SharedPoolHandle, type SharedState } from './state.js';
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
  if (read.resolved.memoryProtectionKeys === 'enable') {
    throw new PoolCreationError(
      "Cannot create a shared pool with memoryProtectionKeys 'enable': the rights to stripes are a thread's own",
    );
  }
  const { resolved } = decideReset(read, virtualMemory);
  const config: ResolvedConfig = { ...resolved, memoryProtectionKeys: 'disable' };
  if (config.totalMemories === 0)
    throw new PoolCreationError('Cannot create a shared pool without slots: totalMemories is 0');
  const layout = planSlab(config, virtualMemory);
  const guardPages = decideGuardPages(config, layout, virtualMemory);
  const slab = reserve(config, layout.totalSlabBytes, virtualMemory);
  try {
    const { maxUnusedWarmSlots } = config;
    const { threads } = thread;
    const allocator = SharedIndexAllocator.create(layout.numSlots, maxUnusedWarmSlots, { threads });
    const modules = SharedModules.create(threads);
    const others = { ...allocator.share(), modules: modules.buffer };
    const state = makeState(layout.numSlots, slab, { config, guardPages }, others);
    const seat = new Attachments(state, threads).enter(threadId);
    return open(state, new SharedSide(state, allocator, modules, seat, thread), slab, virtualMemory);
  } catch (error) {
    slab.close();
    throw error;
  }
}

/** @throws {@link PoolAttachError}, {@link PoolClosedError}, `TypeError` `ERR_INVALID_ARG_TYPE` */
export function attachSharedPool(handle: SharedPoolHandle): OpenedPool {
  const state = openState(handle);
  const thread = thisThread();
  if (thread === undefined) throw new PoolAttachError(processStateObstacle() ?? 'not supported');
  const virtualMemory = platform();
  const { numSlots, totalSlabBytes } = planSlab(state.settings.config, virtualMemory);
  if (numSlots !== state.numSlots || atLeastAPage(totalSlabBytes, virtualMemory) !== state.slabBytes)
    throw new PoolAttachError('the handle was written to');
  const modules = SharedModules.attach(handle.modules, thread.threads);
  const attachments = new Attachments(state, thread.threads);
  const seat = attachments.enter(threadId);
  const slab = new SharedSlab(state.slabAddress, state.slabBytes, virtualMemory);
  let allocator: SharedIndexAllocator | undefined;
  let pool: OpenedPool;
  try {
    allocator = attachAllocator(handle, state, thread);
    const side = new SharedSide(state, allocator, modules, seat, thread);
    pool = open(state, side, slab, virtualMemory);
  } catch (error) {
    allocator?.close();
    if (attachments.leave(seat)) slab.close();
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

function open(
  state: SharedState,
  side: SharedSide,
  slab: SharedSlab,
  virtualMemory: VirtualMemory,
): OpenedPool {
  const { config, guardPages } = state.settings;
  const { options } = decideReset({ given: config, resolved: config }, virtualMemory);
  const core = new PoolCore(slab, planSlab(config, virtualMemory), {
    ...options,
    guardPages,
    // The kernel tells one thread's restorer alone.
    strategies: options.strategies.filter((strategy) => strategy !== 'watch'),
    keys: keys(0),
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

function reserve(config: ResolvedConfig, byteLength: number, virtualMemory: VirtualMemory): SharedSlab {
  try {
    return SharedSlab.reserve(atLeastAPage(byteLength, virtualMemory), virtualMemory);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw whyNotReserved(config, byteLength, virtualMemory, cause);
  }
}

function attachAllocator(
  { indexAllocator }: SharedPoolHandle,
  { numSlots }: SharedState,
  { threads }: ThisThread,
): SharedIndexAllocator {
  const allocator = SharedIndexAllocator.attach({ indexAllocator }, { threads });
  if (allocator.capacity === numSlots) return allocator;
  allocator.close();
  throw new PoolAttachError("the handle's parts are of two pools");
}
