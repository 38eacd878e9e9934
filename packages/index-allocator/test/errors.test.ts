import { describe, expect, it } from 'vitest';
import {
  AllocatorClosedError,
  InconsistentStateError,
  SlotNotInUseError,
  SlotOfOtherThreadError,
  StateAllocationError,
  StateBufferError,
  StateDetachedError,
  TooManyThreadsError,
} from '../src/index.js';

const cause = new RangeError('Array buffer allocation failed');

describe('an error', () => {
  it.each<[string, make: () => Error, fields: object, message: string]>([
    [
      'SlotNotInUseError',
      () => new SlotNotInUseError(3),
      { code: 'ERR_SLOT_NOT_IN_USE', slot: 3 },
      'Cannot free "slot": slot 3 is not in use',
    ],
    [
      'SlotNotInUseError',
      () => new SlotNotInUseError(3, 'items[1].slot'),
      { slot: 3 },
      'Cannot free "items[1].slot": slot 3 is not in use',
    ],
    [
      'SlotOfOtherThreadError',
      () => new SlotOfOtherThreadError(3, 7),
      { code: 'ERR_SLOT_OF_OTHER_THREAD', slot: 3, thread: 7 },
      'Cannot take "slot": slot 3 is held by thread 7',
    ],
    [
      'AllocatorClosedError',
      () => new AllocatorClosedError(),
      { code: 'ERR_ALLOCATOR_CLOSED' },
      'This thread has closed its attachment to the allocator',
    ],
    [
      'TooManyThreadsError',
      () => new TooManyThreadsError(1024),
      { code: 'ERR_TOO_MANY_THREADS', limit: 1024 },
      'Cannot take part: all 1024 places for threads are taken',
    ],
    [
      'StateBufferError',
      () => new StateBufferError('too small'),
      { code: 'ERR_INVALID_ARG_VALUE' },
      'too small',
    ],
    [
      'StateDetachedError',
      () => new StateDetachedError(),
      { code: 'ERR_STATE_DETACHED' },
      'The state buffer of the allocator was detached',
    ],
    [
      'StateAllocationError',
      () => new StateAllocationError(160, 3, cause),
      { code: 'ERR_MEMORY_ALLOCATION_FAILED', cause },
      'Cannot allocate 160 bytes of state for 3 slots',
    ],
    [
      'InconsistentStateError',
      () => new InconsistentStateError('header', 'it is spoilt'),
      { code: 'ERR_INCONSISTENT_STATE', rule: 'header' },
      `The allocator's state breaks the rule "header": it is spoilt`,
    ],
  ])('%s says what is wrong, by its name too, in stack traces as well', (name, make, fields, message) => {
    const error = make();
    expect(error).toMatchObject(fields);
    expect(error.message).toBe(message);
    expect(error.name).toBe(name);
    expect(error.stack).toContain(`${name}: ${message}`);
    expect(Object.keys(error)).not.toContain('name');
  });
});
