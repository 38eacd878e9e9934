/** What {@link parseModule} tells of a module, and what {@link planImages} makes of it. */

/** A memory as the module declares it. Sizes are in pages of `pageSize` bytes. */
export interface MemoryType {
  readonly minimumPages: bigint;
  /** `undefined` if the type names no maximum. */
  readonly maximumPages: bigint | undefined;
  readonly shared: boolean;
  /** The type of its addresses: `'i64'` with memory64. */
  readonly index: 'i32' | 'i64';
  /** Bytes a page: 65,536, or 1 with custom page sizes. */
  readonly pageSize: 1 | 65_536;
  /** The import's name, of a memory that the module is given; `undefined` for one that it makes itself. */
  readonly imported: { readonly module: string; readonly name: string } | undefined;
}

/**
 * Where an active segment goes, in bytes, unsigned: `i32.const -16` is 4,294,967,280. `'not constant'` if it takes an
 * instance to know: the offset reads an imported global.
 */
export type SegmentOffset = bigint | 'not constant';

/** A segment that is written when the module is instantiated. */
export interface ActiveSegment {
  readonly mode: 'active';
  readonly memoryIndex: number;
  readonly offset: SegmentOffset;
  /** Where its bytes lie in the module. */
  readonly start: number;
  readonly byteLength: number;
}

/** A segment that waits for `memory.init`: no part of any image. */
export interface PassiveSegment {
  readonly mode: 'passive';
  /** Where its bytes lie in the module. */
  readonly start: number;
  readonly byteLength: number;
}

/** One data segment of a module. */
export type DataSegment = ActiveSegment | PassiveSegment;

/** A module's memories, imported ones first, and its data segments, both in the order of their indices. */
export interface ParsedModule {
  /** The module: a copy that nobody else has. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly memories: readonly MemoryType[];
  readonly dataSegments: readonly DataSegment[];
}
