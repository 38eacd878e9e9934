/**
 * Numbers of the binary format and of wasmparser 5.11.1's reader, as far as we need them. wasmparser declares its own as
 * `const enum`, which cannot be imported one file at a time; a test compares the two.
 */

/** Section ids (core specification, "Modules"). */
export const SECTION = { import: 2, memory: 5, data: 11 } as const;

/** Kinds of imports: function, table, memory, global, tag. */
export const IMPORT_KIND_MEMORY = 2;
export const IMPORT_KIND_LAST = 4;

/** States of wasmparser's reader. */
export const READER = { error: -1, endWasm: 2, importEntry: 12, memoryEntry: 15 } as const;
