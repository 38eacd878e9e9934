/** Random inputs that a failure can be repeated with: the seed is the input's number. */

/** xorshift32: bytes for the n-th input. */
export class RandomBytes {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b1) | 0 || 1;
  }

  /** 0 to `below - 1`. */
  integer(below: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % below;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.integer(256));
  }
}
