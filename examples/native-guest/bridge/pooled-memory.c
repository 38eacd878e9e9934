/* wasm2c's memories in slots of a pool. pooled-memory.h says what it is. */
#include "pooled-memory.h"

#include "guest-trap.h"

enum { PAGE_BYTES = 65536 };

static __thread pm_grow grow_in_host;
static __thread uint8_t* prepared_data;
static __thread uint32_t prepared_pages;
static __thread wasm_rt_memory_t* taken;

void pm_set_grow(pm_grow grow) {
  grow_in_host = grow;
}

void pm_prepare(void* data, uint32_t pages) {
  prepared_data = data;
  prepared_pages = pages;
  taken = NULL;
}

wasm_rt_memory_t* pm_taken(void) {
  return taken;
}

/* The size is kept in 32 bits, as wasm2c has it: a memory of all 65,536 pages would count as empty. */
void pm_set_pages(wasm_rt_memory_t* memory, uint32_t pages) {
  if (pages < memory->pages) return;
  memory->pages = pages;
  memory->size = pages * PAGE_BYTES;
}

void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint32_t initial_pages, uint32_t max_pages) {
  if (prepared_data == NULL || prepared_pages != initial_pages || initial_pages > 65535) gst_raise(PM_NOT_PREPARED);
  memory->data = prepared_data;
  memory->max_pages = max_pages < 65535 ? max_pages : 65535;
  memory->pages = 0;
  pm_set_pages(memory, initial_pages);
  prepared_data = NULL;
  taken = memory;
}

uint32_t wasm_rt_grow_memory(wasm_rt_memory_t* memory, uint32_t delta) {
  const uint32_t old_pages = memory->pages;
  if (delta == 0) return old_pages;
  if (grow_in_host == NULL || delta > memory->max_pages - old_pages) return (uint32_t)-1;
  gst_host_enter(GST_HOST_SCRIPT);
  const int32_t said = grow_in_host((double)(uintptr_t)memory->data, delta);
  gst_host_leave();
  if (said < 0) return (uint32_t)-1;
  pm_set_pages(memory, (uint32_t)said + delta);
  return (uint32_t)said;
}

/* The pool has it back from whoever allocated it. */
void wasm_rt_free_memory(wasm_rt_memory_t* memory) {
  memory->data = NULL;
}

/* The packaged runtime's wasm_rt_trap ends here, by its own WASM_RT_TRAP_HANDLER. */
void pm_on_trap(int code) {
  gst_raise(code);
}
