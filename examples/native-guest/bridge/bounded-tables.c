/*
 * wasm2c's tables, whose packaged functions look neither at what calloc returns nor at how much a guest asks for. Here a table that
 * there is no room for is a trap, and one grows as far as V8 lets it.
 */
#include <stdlib.h>

#include "guest-trap.h"
#include "pooled-memory.h"

/* V8's own limit (kV8MaxWasmTableSize): without one, a guest takes all memory that the machine has. */
enum { MAX_ELEMENTS = 10000000 };

/* Allocating must not be left half-way by a stack that ends in it: malloc's locks would stay taken. */
#define DEFINE_TABLE(type)                                                                                              \
  void wasm_rt_allocate_##type##_table(wasm_rt_##type##_table_t* table, uint32_t elements, uint32_t max_elements) {     \
    gst_require_stack();                                                                                                \
    table->size = 0;                                                                                                    \
    table->max_size = max_elements < MAX_ELEMENTS ? max_elements : MAX_ELEMENTS;                                        \
    table->data = elements > MAX_ELEMENTS ? NULL : calloc(elements == 0 ? 1 : elements, sizeof *table->data);           \
    if (table->data == NULL) gst_raise(PM_NO_ROOM);                                                                     \
    table->size = elements;                                                                                             \
  }                                                                                                                     \
                                                                                                                        \
  uint32_t wasm_rt_grow_##type##_table(wasm_rt_##type##_table_t* table, uint32_t delta, wasm_rt_##type##_t initial) {   \
    const uint32_t old = table->size;                                                                                   \
    if (delta == 0) return old;                                                                                         \
    if (delta > table->max_size - old) return (uint32_t)-1;                                                             \
    gst_require_stack();                                                                                                \
    wasm_rt_##type##_t* grown = realloc(table->data, (old + (size_t)delta) * sizeof *grown);                            \
    if (grown == NULL) return (uint32_t)-1;                                                                             \
    for (uint32_t at = old; at < old + delta; at++) grown[at] = initial;                                                \
    table->data = grown;                                                                                                \
    table->size = old + delta;                                                                                          \
    return old;                                                                                                         \
  }

DEFINE_TABLE(funcref)
DEFINE_TABLE(externref)
