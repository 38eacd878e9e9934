/** The errors of the pool: one class for each condition that a caller may want to catch, told apart by `code`. */
import { size } from '@guardstripe/common';

/** Who has the memories of a pool that threads share, as an insertion. */
function threadsOf(liveByThread: ReadonlyMap<number, number>, inFlightMemories = 0): string {
  const threads = [...liveByThread].map(([threadId, memories]) => `${memories} in thread ${threadId}`);
  if (inFlightMemories > 0) threads.push(`${inFlightMemories} in flight`);
  return threads.length === 0 ? '' : ` (${threads.join(', ')})`;
}

/** Every slot that the store may use is taken. */
export class PoolConcurrencyLimitError extends Error {
  override readonly name = 'PoolConcurrencyLimitError';
  readonly code = 'ERR_POOL_CONCURRENCY_LIMIT';
  /** The stripe that is full. */
  readonly stripe: number;
  /** Slots of that stripe. */
  readonly capacity: number;
  /** Of them, those whose memory was freed and whose `buffer` is not collected yet. */
  readonly coolingMemories: number;
  /** Of them, those that were given up because somebody transferred a view of them away. */
  readonly retiredMemories: number;
  /** Of a pool that threads share, how many live memories each thread has, by `threadId` of `node:worker_threads`; 0 is the main thread. */
  readonly liveByThread: ReadonlyMap<number, number>;
  /** The same of stores that were released and that nobody has adopted yet; no thread has them. */
  readonly inFlightMemories: number;

  constructor(
    stripe: number,
    capacity: number,
    numStripes: number,
    withheld: { readonly cooling: number; readonly retired: number } = { cooling: 0, retired: 0 },
    liveByThread: ReadonlyMap<number, number> = new Map(),
    inFlightMemories = 0,
  ) {
    const where = numStripes === 1 ? '' : ` of stripe ${stripe}`;
    const { cooling, retired } = withheld;
    const cool =
      cooling === 0
        ? ''
        : `; ${cooling} of them cool: their memories were freed, and whoever was given their buffer may still use it. allocateAsync ` +
          'waits for them; read, write and unsafeBuffer let nothing cool';
    const gone = retired === 0 ? '' : `; ${retired} were retired: a view of them was transferred away`;
    super(
      `Cannot allocate a memory: all ${capacity} slots${where} are in use${threadsOf(liveByThread, inFlightMemories)}${cool}${gone}`,
    );
    this.stripe = stripe;
    this.capacity = capacity;
    this.coolingMemories = cooling;
    this.retiredMemories = retired;
    this.liveByThread = liveByThread;
    this.inFlightMemories = inFlightMemories;
  }
}

/** The pool cannot be made on this host, or with these settings together. */
export class PoolCreationError extends Error {
  override readonly name = 'PoolCreationError';
  readonly code = 'ERR_POOL_CREATION';
}

/** The pool was closed. */
export class PoolClosedError extends Error {
  override readonly name = 'PoolClosedError';
  readonly code = 'ERR_POOL_CLOSED';

  constructor(action: string) {
    super(`Cannot ${action}: the pool is closed`);
  }
}

/**
 * The pool's own books do not agree. Thrown before anything is changed: what would come next could give one tenant's bytes to
 * another. A mistake of this package, or a record that somebody wrote over.
 */
export class PoolCorruptedError extends Error {
  override readonly name = 'PoolCorruptedError';
  readonly code = 'ERR_POOL_CORRUPTED';

  constructor(rule: string) {
    super(`The books of the pool do not agree: ${rule}`);
  }
}

/** The pool has live memories and was not told to drop them. */
export class PoolBusyError extends Error {
  override readonly name = 'PoolBusyError';
  readonly code = 'ERR_POOL_BUSY';
  /** Memories still live. */
  readonly liveMemories: number;
  /** Of them, those of stores that were released and that nobody has adopted yet; no thread has them. */
  readonly inFlightMemories: number;
  /** Of a pool that threads share, how many each thread has, by `threadId` of `node:worker_threads`; 0 is the main thread. */
  readonly liveByThread: ReadonlyMap<number, number>;

  constructor(
    liveMemories: number,
    liveByThread: ReadonlyMap<number, number> = new Map(),
    inFlightMemories = 0,
  ) {
    const isShared = liveByThread.size > 0 || inFlightMemories > 0;
    const force = isShared ? ', which ends those of this thread alone' : '';
    super(
      `Cannot close the pool: ${liveMemories} memories are live${threadsOf(liveByThread, inFlightMemories)}; free them, or close with { force: true }${force}`,
    );
    this.liveMemories = liveMemories;
    this.inFlightMemories = inFlightMemories;
    this.liveByThread = liveByThread;
  }
}

/** The pool is this thread's own, and stays so. */
export class PoolNotSharedError extends Error {
  override readonly name = 'PoolNotSharedError';
  readonly code = 'ERR_POOL_NOT_SHARED';

  constructor(action = 'share the pool') {
    super(
      `Cannot ${action}: the pool was made for one thread. Did you mean MemoryPool.create({ shared: true })?`,
    );
  }
}

/** The thread cannot have the pool that a handle is of. */
export class PoolAttachError extends Error {
  override readonly name = 'PoolAttachError';
  readonly code = 'ERR_POOL_ATTACH';

  constructor(reason: string, options?: ErrorOptions) {
    super(`Cannot attach to the pool: ${reason}`, options);
  }
}

/** The store was disposed. */
export class StoreDisposedError extends Error {
  override readonly name = 'StoreDisposedError';
  readonly code = 'ERR_STORE_DISPOSED';

  constructor(action: string) {
    super(`Cannot ${action}: the store is disposed`);
  }
}

/** The store was released: it belongs to whoever adopts it, and so do its memories. */
export class StoreReleasedError extends Error {
  override readonly name = 'StoreReleasedError';
  readonly code = 'ERR_STORE_RELEASED';

  constructor(action: string) {
    super(`Cannot ${action}: the store was released, for another thread to adopt`);
  }
}

/**
 * Why a store cannot move.
 *
 * - `allocating`: an allocation of its waits, for a slot or for the limiter.
 * - `growing`: a memory waits for the limiter.
 * - `viewed`: the `buffer` of a memory was read, and what uses it may outlive every free.
 * - `crowded`: as many stores are in flight as the pool can know of.
 */
export type NotMovableReason = 'allocating' | 'growing' | 'viewed' | 'crowded';

const NOT_MOVABLE: Readonly<Record<NotMovableReason, string>> = {
  allocating: 'an allocation of its waits',
  growing: 'a memory of its waits for the limiter',
  viewed:
    'the buffer of a memory was read, and views do not move; read, write and unsafeBuffer leave it movable',
  crowded: 'too many stores are in flight; have them adopted',
};

/** The store cannot move now. It is as it was. */
export class StoreNotMovableError extends Error {
  override readonly name = 'StoreNotMovableError';
  readonly code = 'ERR_STORE_NOT_MOVABLE';
  readonly reason: NotMovableReason;
  /** The slot of the memory that is the reason, if it is one. */
  readonly slot: number | undefined;

  constructor(reason: NotMovableReason, slot?: number) {
    super(`Cannot release the store: ${NOT_MOVABLE[reason]}${slot === undefined ? '' : ` (slot ${slot})`}`);
    this.reason = reason;
    this.slot = slot;
  }
}

/** No store is to be had for a token. */
export class StoreTokenError extends Error {
  override readonly name = 'StoreTokenError';
  readonly code = 'ERR_STORE_TOKEN';

  constructor() {
    super(
      "Cannot adopt the store: no store is in flight for the token. It was adopted already, or its thread has ended or closed the pool; or the token is another pool's, or was changed",
    );
  }
}

/** The memory was freed, by itself, with its store or with its pool. */
export class MemoryFreedError extends Error {
  override readonly name = 'MemoryFreedError';
  readonly code = 'ERR_MEMORY_FREED';
  /** The slot that the memory had. */
  readonly slot: number;

  constructor(action: string, slot: number) {
    super(`Cannot ${action}: the memory in slot ${slot} was freed`);
    this.slot = slot;
  }
}

/** The module was closed, and its images with it. */
export class ModuleClosedError extends Error {
  override readonly name = 'ModuleClosedError';
  readonly code = 'ERR_MODULE_CLOSED';

  constructor(action: string) {
    super(`Cannot ${action}: the module is closed`);
  }
}

/** A snapshot's images lie in files of other modules, so no other thread can have it. */
export class ModuleNotSharedError extends Error {
  override readonly name = 'ModuleNotSharedError';
  readonly code = 'ERR_MODULE_NOT_SHARED';

  constructor() {
    super(
      'Cannot give a handle of the module: it was made from a live memory, and other threads cannot have it',
    );
  }
}

/** The threads of a shared pool use as many modules as it can know. */
export class TooManyModulesError extends Error {
  override readonly name = 'TooManyModulesError';
  readonly code = 'ERR_TOO_MANY_MODULES';
  /** How many a pool can know at a time. */
  readonly capacity: number;

  constructor(capacity: number) {
    super(
      `Cannot allocate a memory: the threads of the pool use ${capacity} modules, and it can know no more`,
    );
    this.capacity = capacity;
  }
}

/** A file was written to, cut or grown while its bytes were read for a memory. Nothing was described. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';
  readonly code = 'ERR_FILE_CHANGED';
  /** The file, as it was named. */
  readonly file: string;

  constructor(file: string, change: string) {
    super(`Cannot describe a memory: ${file} changed while it was read: ${change}`);
    this.file = file;
  }
}

/** A module, or one of its memories, cannot live in a pool, or not in this one. */
export class ModuleNotPoolableError extends Error {
  override readonly name = 'ModuleNotPoolableError';
  readonly code = 'ERR_MODULE_NOT_POOLABLE';
  /** The memory's index in the module, where the reason is one memory. */
  readonly memoryIndex: number | undefined;

  constructor(reason: string, memoryIndex?: number) {
    super(
      memoryIndex === undefined ? `The module ${reason}` : `Memory ${memoryIndex} of the module ${reason}`,
    );
    this.memoryIndex = memoryIndex;
  }
}

/** The store's limiter said no to a memory, or to a larger one. */
export class MemoryLimitError extends RangeError {
  override readonly name = 'MemoryLimitError';
  readonly code = 'ERR_MEMORY_LIMIT';
  /** Bytes the memory has. */
  readonly currentBytes: number;
  /** Bytes it would have had. */
  readonly desiredBytes: number;

  constructor(currentBytes: number, desiredBytes: number) {
    super(
      `The store's limiter does not allow a memory of ${size(desiredBytes)}; it has ${size(currentBytes)}`,
    );
    this.currentBytes = currentBytes;
    this.desiredBytes = desiredBytes;
  }
}

/** Too many allocations wait for a slot already. */
export class PoolQueueFullError extends Error {
  override readonly name = 'PoolQueueFullError';
  readonly code = 'ERR_POOL_QUEUE_FULL';
  /** The setting `maxWaitingAllocations`. */
  readonly maxWaitingAllocations: number;

  constructor(maxWaitingAllocations: number) {
    super(
      `Cannot wait for a memory: ${maxWaitingAllocations} allocations, maxWaitingAllocations, wait already`,
    );
    this.maxWaitingAllocations = maxWaitingAllocations;
  }
}

/**
 * Does something to each item, also after one that throws, and then throws what was thrown: the error itself if there was
 * one, an `AggregateError` of several.
 */
export function forEachDespiteErrors<T>(items: Iterable<T>, action: (item: T) => void): void {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      action(item);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} steps failed; see errors`);
  if (failures.length === 1) throw failures[0];
}

/** One more memory could bring the process to `vm.max_map_count`, where Node itself would die of it. */
export class PoolMappingsError extends Error {
  override readonly name = 'PoolMappingsError';
  readonly code = 'ERR_POOL_MAPPINGS';
  /** Mappings that the process's pools hold: two for a memory, up to four with an image, also in slots that are free and warm. */
  readonly heldMappings: number;
  /** The kernel's limit. */
  readonly maxMapCount: number;

  constructor(heldMappings: number, maxMapCount: number) {
    super(
      `Cannot change a memory: the pools of this process hold ${heldMappings} of the ${maxMapCount} mappings that ` +
        'vm.max_map_count allows, and Node needs the rest; hold fewer memories at once, or raise it ' +
        `(sysctl -w vm.max_map_count=${2 * maxMapCount})`,
    );
    this.heldMappings = heldMappings;
    this.maxMapCount = maxMapCount;
  }
}
