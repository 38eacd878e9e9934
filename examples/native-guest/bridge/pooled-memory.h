/*
 * The three functions of wasm2c's runtime that deal in memories, on memory that somebody else made: a slot of a pool, handed
 * over by address. Everything else of the runtime is the packaged one, compiled with its own three under other names.
 */
#ifndef GUARDSTRIPE_POOLED_MEMORY_H
#define GUARDSTRIPE_POOLED_MEMORY_H

#include <stdint.h>

#include "wasm-rt.h"

/* Codes of gst_raise beside wasm2c's own (wasm_rt_trap_t): a module asked for another memory than the one it was given; for a table
 * that the system has no room for. */
enum { PM_NOT_PREPARED = 100, PM_NO_ROOM = 101 };

/* Grows the memory at `address` by `pages` of 64 KiB; returns its old size in pages, or -1 for no. */
typedef int32_t (*pm_grow)(double address, uint32_t pages);

/* The calling thread's growth function, for all modules that share this copy. */
void pm_set_grow(pm_grow grow);

/* The memory that the calling thread's next wasm_rt_allocate_memory gets. */
void pm_prepare(void* data, uint32_t pages);

/* wasm2c's record of the memory that was prepared last, once its instance was made; else NULL. */
wasm_rt_memory_t* pm_taken(void);

/* The memory has this size now: the host grew it. A smaller one is older news, of a growth that another was made in. */
void pm_set_pages(wasm_rt_memory_t* memory, uint32_t pages);

#endif
