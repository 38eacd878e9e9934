/*
 * Included before the packaged wasm-rt-impl.c: its traps come to us, its memories step aside for pooled-memory.c, and its
 * tables for bounded-tables.c.
 * With WASM_RT_SKIP_SIGNAL_RECOVERY it installs no handler of its own.
 */
#ifndef GUARDSTRIPE_RUNTIME_OPTIONS_H
#define GUARDSTRIPE_RUNTIME_OPTIONS_H

__attribute__((noreturn)) void pm_on_trap(int code);
#define WASM_RT_TRAP_HANDLER(code) pm_on_trap(code)

#define wasm_rt_allocate_memory packaged_allocate_memory
#define wasm_rt_grow_memory packaged_grow_memory
#define wasm_rt_free_memory packaged_free_memory

#define wasm_rt_allocate_funcref_table packaged_allocate_funcref_table
#define wasm_rt_grow_funcref_table packaged_grow_funcref_table
#define wasm_rt_allocate_externref_table packaged_allocate_externref_table
#define wasm_rt_grow_externref_table packaged_grow_externref_table

#endif
