/** The errors of this package, one class for each condition that a caller may want to catch, told apart by `code`. */

/** A closed {@link Snapshot} was used. */
export class SnapshotClosedError extends Error {
  readonly code = 'ERR_SNAPSHOT_CLOSED';

  constructor() {
    super('The Snapshot is closed');
  }

  static {
    this.prototype.name = 'SnapshotClosedError';
  }
}

/**
 * A snapshot was to be taken or restored from within a call into WebAssembly. The call's own variables, and usually its
 * stack pointer, are not part of any snapshot: they would go on with memory that is not theirs. Nothing has changed.
 */
export class CallOnStackError extends Error {
  readonly code = 'ERR_SNAPSHOT_CALL_ON_STACK';

  constructor(reason: string) {
    super(`Snapshots are taken and restored between calls: ${reason}`);
  }

  static {
    this.prototype.name = 'CallOnStackError';
  }
}

/** The state does not fit the instance that it was to be laid over. Nothing has changed, but memories may have grown. */
export class WrongTargetError extends Error {
  readonly code = 'ERR_SNAPSHOT_WRONG_TARGET';

  constructor(reason: string) {
    super(`The snapshot does not fit this target: ${reason}`);
  }

  static {
    this.prototype.name = 'WrongTargetError';
  }
}

/** What the snapshot was taken of was garbage collected, so there is nothing to restore. */
export class TargetCollectedError extends Error {
  readonly code = 'ERR_SNAPSHOT_TARGET_COLLECTED';

  constructor(what: string) {
    super(`Cannot restore: ${what} was garbage collected`);
  }

  static {
    this.prototype.name = 'TargetCollectedError';
  }
}

/** A shared memory, without the word that no other thread uses it while snapshots are taken and restored. */
export class SharedMemoryError extends Error {
  readonly code = 'ERR_SNAPSHOT_SHARED_MEMORY';

  constructor() {
    super(
      'A shared memory may be written by other threads at any time. Where all of them are known to be at rest whenever ' +
        'snapshots are taken and restored, say so: { threadsAtRest: true }',
    );
  }

  static {
    this.prototype.name = 'SharedMemoryError';
  }
}

/** Something that has to be saved cannot be read from JavaScript, or there is no WebAssembly at all. */
export class SnapshotUnsupportedError extends Error {
  readonly code = 'ERR_SNAPSHOT_UNSUPPORTED';

  constructor(reason: string) {
    super(`Cannot take a snapshot: ${reason}`);
  }

  static {
    this.prototype.name = 'SnapshotUnsupportedError';
  }
}

/**
 * Restoring failed half-way; `cause` says at what. The target is neither as it was nor as the snapshot has it, and must not
 * be used until a restore succeeds.
 */
export class SnapshotIncompleteError extends Error {
  readonly code = 'ERR_SNAPSHOT_INCOMPLETE';

  constructor(cause: unknown) {
    super('Restoring failed half-way: do not use the target until a restore succeeds', { cause });
  }

  static {
    this.prototype.name = 'SnapshotIncompleteError';
  }
}

/** The pool of instances was closed. */
export class InstancePoolClosedError extends Error {
  readonly code = 'ERR_INSTANCE_POOL_CLOSED';

  constructor() {
    super('The pool of instances is closed');
  }

  static {
    this.prototype.name = 'InstancePoolClosedError';
  }
}

/** A lease was used after its release: the instance may be somebody else's by now. */
export class LeaseReleasedError extends Error {
  readonly code = 'ERR_LEASE_RELEASED';

  constructor() {
    super('The lease was released');
  }

  static {
    this.prototype.name = 'LeaseReleasedError';
  }
}
