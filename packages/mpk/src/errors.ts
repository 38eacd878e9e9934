/** The package's errors, told apart by `code`. */
import { size } from '@guardstripe/common';

/** Every protection key of the process is taken. */
export class KeysExhaustedError extends Error {
  override readonly name = 'KeysExhaustedError';
  readonly code = 'ERR_MPK_KEYS_EXHAUSTED';
  /** Keys that leases hold, in all threads. */
  readonly held: number;
  /** Keys that nobody holds, and that pages still carry, or may. */
  readonly withheld: number;

  constructor(cause: unknown, { held, withheld }: { readonly held: number; readonly withheld: number }) {
    super(
      `Cannot take a protection key: all of the process are taken; leases hold ${held}, and ${withheld} are withheld ` +
        'because their lease was lost while pages carried them',
      { cause },
    );
    this.held = held;
    this.withheld = withheld;
  }
}

/** Keys were to be given back while pages still carry them: whoever gets the number next would own those pages. */
export class KeyInUseError extends Error {
  override readonly name = 'KeyInUseError';
  readonly code = 'ERR_MPK_KEY_IN_USE';
  /** Number of the key. */
  readonly id: number;
  /** Bytes of memory that carry it. */
  readonly byteLength: number;

  constructor(id: number, byteLength: number) {
    super(
      `Cannot give protection key ${id} back: ${size(byteLength)} of memory carry it; close or recolour them first`,
    );
    this.id = id;
    this.byteLength = byteLength;
  }
}

/** A key was used after its lease was disposed. */
export class KeyReleasedError extends Error {
  override readonly name = 'KeyReleasedError';
  readonly code = 'ERR_MPK_KEY_RELEASED';
  /** Number that the key had. */
  readonly id: number;

  constructor(id: number) {
    super(`Protection key ${id} was given back`);
    this.id = id;
  }
}
