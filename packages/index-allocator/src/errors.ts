/** Every error this package throws on purpose. Each has a stable `code`; messages may be reworded. */

/** A slot was given back that nobody holds: freed twice, or never allocated. */
export class SlotNotInUseError extends Error {
  readonly code = 'ERR_SLOT_NOT_IN_USE';
  /** Index of the slot. */
  readonly slot: number;

  constructor(slot: number, field = 'slot') {
    super(`Cannot free "${field}": slot ${slot} is not in use`);
    this.slot = slot;
  }

  override get name(): string {
    return 'SlotNotInUseError';
  }
}

/** A slot was to be freed or adopted that another thread holds. */
export class SlotOfOtherThreadError extends Error {
  readonly code = 'ERR_SLOT_OF_OTHER_THREAD';
  /** Index of the slot. */
  readonly slot: number;
  /** The thread that holds it. */
  readonly thread: number;

  constructor(slot: number, thread: number, field = 'slot') {
    super(`Cannot take "${field}": slot ${slot} is held by thread ${thread}`);
    this.slot = slot;
    this.thread = thread;
  }

  override get name(): string {
    return 'SlotOfOtherThreadError';
  }
}

/** This thread's attachment to a shared allocator was closed. */
export class AllocatorClosedError extends Error {
  readonly code = 'ERR_ALLOCATOR_CLOSED';

  constructor() {
    super('This thread has closed its attachment to the allocator');
  }

  override get name(): string {
    return 'AllocatorClosedError';
  }
}

/** A shared allocator, or a table of threads, has no place for one more. */
export class TooManyThreadsError extends Error {
  readonly code = 'ERR_TOO_MANY_THREADS';
  /** How many there may be. */
  readonly limit: number;

  constructor(limit: number) {
    super(`Cannot take part: all ${limit} places for threads are taken`);
    this.limit = limit;
  }

  override get name(): string {
    return 'TooManyThreadsError';
  }
}

/** A state buffer cannot be used: too small, resizable, or made for other settings. */
export class StateBufferError extends TypeError {
  readonly code = 'ERR_INVALID_ARG_VALUE';

  override get name(): string {
    return 'StateBufferError';
  }
}

/** The state's buffer was transferred or detached by somebody: the allocator can do nothing any more. */
export class StateDetachedError extends Error {
  readonly code = 'ERR_STATE_DETACHED';

  constructor() {
    super('The state buffer of the allocator was detached');
  }

  override get name(): string {
    return 'StateDetachedError';
  }
}

/** The memory for the state could not be had. `cause` is the engine's error. */
export class StateAllocationError extends Error {
  readonly code = 'ERR_MEMORY_ALLOCATION_FAILED';

  constructor(stateBytes: number, capacity: number, cause: unknown) {
    super(`Cannot allocate ${stateBytes} bytes of state for ${capacity} slots`, { cause });
  }

  override get name(): string {
    return 'StateAllocationError';
  }
}

/** The rules that {@link InconsistentStateError} can name. */
export type ConsistencyRule =
  /** The header belongs to these settings, and its counters lie within the capacity. */
  | 'header'
  /** A slot's words are among those that can occur: used, warm or cold. */
  | 'slot-state'
  /** used + warm + cold = capacity. */
  | 'slot-count'
  /** Every warm slot, and nothing else, is on the warm list exactly once; links agree both ways. */
  | 'warm-list'
  /** Every warm slot with a key is on its affinity list exactly once, in the order of freeing. */
  | 'affinity-list'
  /** One list a key, found in the bucket where the key's hash says. */
  | 'affinity-table'
  /** `unusedBytesResident` is the sum over the warm slots. */
  | 'unused-bytes'
  /** In a shared allocator: used slots, and no others, are held by a thread. */
  | 'holder';

/** The state breaks one of its rules: foreign writes into the buffer, or a defect of this package. */
export class InconsistentStateError extends Error {
  readonly code = 'ERR_INCONSISTENT_STATE';
  /** The broken rule. */
  readonly rule: ConsistencyRule;

  constructor(rule: ConsistencyRule, found: string) {
    super(`The allocator's state breaks the rule "${rule}": ${found}`);
    this.rule = rule;
  }

  override get name(): string {
    return 'InconsistentStateError';
  }
}
