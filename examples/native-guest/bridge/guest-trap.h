/*
 * The trap bridge: calls native guest code so that a fault in it comes back as an ordinary return.
 *
 *     JavaScript --FFI--> wrapper: gst_enter, sigsetjmp --> guest --> touches what it must not
 *                            ^                                              |
 *                            +-- siglongjmp <-- handler: writes the record <+ SIGSEGV, SIGBUS
 *
 * One process has one handler. A fault is a guest's only if its thread is inside a guarded call, and not in a host function
 * that the guest called, and the address lies in a range that the thread watches, or just below the guest's stack. Every
 * other fault goes to the handler that was there before: Node's own, and with it V8's WebAssembly traps and real crashes.
 *
 * Nothing here knows wasm2c, WebAssembly or a pool: any native code can be called in this way.
 *
 *     #include "guest-trap.h"
 *
 *     int32_t plugin_add(struct plugin* plugin, int32_t a, int32_t b) {
 *       gst_frame frame;
 *       int32_t result = 0;
 *       gst_enter(&frame);
 *       if (sigsetjmp(frame.jump, 0) == 0) result = add(plugin, a, b);
 *       gst_leave(&frame);
 *       return result; // means something only if the record's kind is GST_NONE
 *     }
 *
 * A guest that is jumped out of must hold nothing: no lock, no half-done malloc. Code that works on its linear memory
 * holds nothing while it does.
 *
 * Linux with glibc, x86-64 and arm64.
 */
#ifndef GUARDSTRIPE_GUEST_TRAP_H
#define GUARDSTRIPE_GUEST_TRAP_H

#include <setjmp.h>
#include <stdint.h>

#define GST_API __attribute__((visibility("default")))

/* Why a guarded call ended before its time. */
enum {
  GST_NONE = 0,
  GST_FAULT = 1,  /* a watched address was touched that must not be */
  GST_STACK = 2,  /* the guest ran out of stack */
  GST_RAISED = 3, /* the guest's own runtime called gst_raise */
  GST_HOST = 4,   /* a function of the host failed, and ended the guest that had called it */
};

/* What is known of the calling thread's last trap. The address of a thread's record never changes. 48 bytes. */
typedef struct gst_record {
  int32_t kind;      /* at 0: GST_...; whoever reads it writes GST_NONE */
  int32_t code;      /* at 4: si_code of a fault, or what gst_raise was given */
  int32_t access;    /* at 8: 0 read, 1 write, -1 unknown */
  int32_t key;       /* at 12: protection key that denied the access, -1 if none did */
  uint64_t address;  /* at 16: the address that was touched */
  uint64_t pc;       /* at 24: where the guest was */
  uint64_t traps;    /* at 32: traps of this thread so far */
  int32_t host_failed; /* at 40: read by gst_host_leave, which ends the guest unless it is 0 */
  int32_t reserved;    /* at 44 */
} gst_record;

/* One guarded call; lives on the stack of the function that makes it. */
typedef struct gst_frame {
  sigjmp_buf jump;
  struct gst_frame* outer;
  uint32_t in_host; /* gst_host: a function of the host runs, whose faults are not the guest's */
  uint32_t pkru;    /* protection key rights at entry; written back after a trap, for the kernel closes all keys */
} gst_frame;

/* Installs the handlers, once a process, and readies the calling thread, once. Returns the thread's record, or NULL with errno. */
GST_API gst_record* gst_thread(void);

/* The calling thread's guests may fault in this range. Returns 0, or -1 with errno. */
GST_API int gst_watch(uint64_t address, uint64_t bytes);
/* Forgets a range of the calling thread. */
GST_API void gst_unwatch(uint64_t address);

/* 1 if this bridge's handler is the one that the kernel calls first for SIGSEGV. */
GST_API int gst_installed(void);

/* Between these two, with sigsetjmp(frame->jump, 0) after the first, guest code may run. The thread must be readied. */
GST_API void gst_enter(gst_frame* frame);
GST_API void gst_leave(gst_frame* frame);

/* Who runs on the guest's behalf. */
enum gst_host {
  GST_NO_HOST = 0,
  GST_HOST_C = 1,      /* returns; writes 1 to `host_failed` if it failed */
  GST_HOST_SCRIPT = 2, /* writes 0 to `host_failed` when it is done: a script can be cut off anywhere, and then says nothing */
};

/*
 * Around a call from the guest back into the host. The first ends the guest if its stack has no room left for that, since a
 * fault in the host is nobody's; the second does not return if the host has failed.
 */
GST_API void gst_host_enter(uint32_t host);
GST_API void gst_host_leave(void);

/*
 * Where the stack of the calling thread's guests ends: `low` is its lowest byte. Guests then stop GST_STACK_ROOM bytes before it. A
 * signal handler runs on the stack of whom it interrupts, and one that ends there is the end of the process: if not even its frame
 * fits, or if we took its fault for the guest's and jumped out of it.
 */
GST_API void gst_set_stack(uint64_t low);
/* An address in the stack that the caller runs on. */
GST_API uint64_t gst_on_stack(void);

/* The handler's frame (12 KiB on a processor with AMX), what a handler does, and the frame of the function that was looked at. */
enum { GST_STACK_ROOM = 96 * 1024, GST_MAX_FRAME = 32 * 1024 };

/* The lowest stack pointer of the calling thread's guests; 0 if nobody has said where their stack ends. */
extern GST_API __thread uintptr_t gst_stack_limit __attribute__((tls_model("initial-exec")));

#if defined(__x86_64__)
register uintptr_t gst_stack_pointer __asm__("rsp");
#elif defined(__aarch64__)
register uintptr_t gst_stack_pointer __asm__("sp");
#endif

GST_API __attribute__((noreturn)) void gst_stack_ended(void);

/* At the start of each function of a guest, whose frames must be at most GST_MAX_FRAME bytes. */
#define GST_CHECK_STACK() \
  do { \
    if (__builtin_expect(gst_stack_pointer < gst_stack_limit, 0)) gst_stack_ended(); \
  } while (0)

/* The test of the stack that gst_host_enter makes, before a guest calls what must not be left half-way, such as malloc. */
GST_API void gst_require_stack(void);

/* Ends the innermost guarded call, from code that the guest called. `code` comes back in the record. */
GST_API __attribute__((noreturn)) void gst_raise(int32_t code);

#endif
