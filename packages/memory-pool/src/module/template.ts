/** What the pool needs to know of a memory to make one: the hot path's view of a module. */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { InitialBytes } from '../wasm/index.js';
import type { PoolImage } from './image.js';

/** A memory as the pool makes it. */
export interface MemoryTemplate {
  /** What the slot remembers, to give it back to the same memory of the same module. */
  readonly key: MemoryKey;
  readonly initialBytes: number;
  readonly maximumBytes: number;
  /** The unit of `grow`: 65,536, or 1 with custom page sizes. */
  readonly pageBytes: number;
  /** What its addresses are, for those who describe it. */
  readonly address: 'i32' | 'i64';
  /** Mapped copy-on-write. */
  readonly image: PoolImage | undefined;
  /** Written after that. */
  readonly writes: readonly InitialBytes[];
}
