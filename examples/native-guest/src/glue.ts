/** Writes the C between a module and the host: one wrapper for each export, which calls it guarded, and one for each import. */
import type { GuestFunction, GuestHeader, ImportedFunction, ValueType } from './guest-header.ts';

/** The module's name in wasm2c's symbols, whatever the module calls itself. */
export const GUEST_MODULE_NAME = 'guest';

const C_TYPES: Readonly<Record<ValueType, string>> = { i32: 'u32', i64: 'u64', f32: 'f32', f64: 'f64' };

/** The C function of the n-th export. */
export function exportSymbol(index: number): string {
  return `ng_export_${index}`;
}

/** The whole glue for a module whose header is `headerFile`. */
export function glue(header: GuestHeader, headerFile: string): string {
  return [
    frame(header, headerFile),
    ...header.imports.map((imported, index) => importWrapper(imported, index)),
    ...header.exports.map((exported, index) => exportWrapper(exported, index)),
  ].join('\n');
}

function frame({ imports, numImportModules }: GuestHeader, headerFile: string): string {
  const prefix = `Z_${GUEST_MODULE_NAME}`;
  // Wrappers of imports find their way by thread, so what stands for the importing module's instances is never looked at.
  const importArguments = ', NULL'.repeat(numImportModules);
  return `#include "guest-trap.h"
#include "pooled-memory.h"
#include "${headerFile}"

typedef struct ng_instance {
  wasm_rt_memory_t* memory;
  uint32_t calls; /* that are under way */
  ${prefix}_instance_t guest;
} ng_instance;

/* The calling thread's functions of the host, one for each import. */
static __thread void* ng_bound[${Math.max(imports.length, 1)}];

__attribute__((constructor)) static void ng_load(void) {
  wasm_rt_init();
  ${prefix}_init_module();
}

GST_API void ng_bind(int32_t index, void* function) {
  ng_bound[index] = function;
}

GST_API void ng_bind_grow(void* function) {
  pm_set_grow((pm_grow)function);
}

/* NULL if there is no room, or if the module trapped, which the record says. */
GST_API void* ng_new(void* data, uint32_t pages) {
  ng_instance* self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  gst_frame frame;
  pm_prepare(data, pages);
  gst_enter(&frame);
  if (sigsetjmp(frame.jump, 0) == 0) ${prefix}_instantiate(&self->guest${importArguments});
  gst_leave(&frame);
  if (gst_thread()->kind != GST_NONE) {
    ${prefix}_free(&self->guest);
    free(self);
    return NULL;
  }
  self->memory = pm_taken();
  return self;
}

GST_API void ng_set_pages(void* instance, uint32_t pages) {
  ng_instance* self = instance;
  if (self->memory != NULL) pm_set_pages(self->memory, pages);
}

/* Whether it is freed: not while a call is under way. JavaScript cannot count them, for a script that is cut off counts nothing. */
GST_API int32_t ng_free(void* instance) {
  ng_instance* self = instance;
  if (self->calls > 0) return 0;
  ${prefix}_free(&self->guest);
  free(self);
  return 1;
}
`;
}

function importWrapper({ symbol, params, result, hostType }: ImportedFunction, index: number): string {
  const types = params.map((type) => C_TYPES[type]);
  const declared = [`${hostType} host`, ...types.map((type, at) => `${type} p${at}`)].join(', ');
  const passed = types.map((_, at) => `p${at}`).join(', ');
  const resultType = result === undefined ? 'void' : C_TYPES[result];
  const keep = result === undefined ? '' : `${resultType} result = `;
  return `${resultType} ${symbol}(${declared}) {
  (void)host;
  gst_host_enter(GST_HOST_SCRIPT);
  ${keep}((${resultType} (*)(${types.join(', ') || 'void'}))ng_bound[${index}])(${passed});
  gst_host_leave();${result === undefined ? '' : '\n  return result;'}
}
`;
}

function exportWrapper({ symbol, params, result }: GuestFunction, index: number): string {
  const declared = ['void* instance', ...params.map((type, at) => `${C_TYPES[type]} p${at}`)].join(', ');
  const passed = ['&self->guest', ...params.map((_, at) => `p${at}`)].join(', ');
  const resultType = result === undefined ? 'void' : C_TYPES[result];
  const call = `${symbol}(${passed});`;
  return `GST_API ${resultType} ${exportSymbol(index)}(${declared}) {
  ng_instance* self = instance;
  gst_frame frame;${result === undefined ? '' : `\n  ${resultType} result = 0;`}
  self->calls++;
  gst_enter(&frame);
  if (sigsetjmp(frame.jump, 0) == 0) ${result === undefined ? call : `result = ${call}`}
  gst_leave(&frame);
  self->calls--;${result === undefined ? '' : '\n  return result;'}
}
`;
}
