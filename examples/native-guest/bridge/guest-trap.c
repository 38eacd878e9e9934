/* The trap bridge. guest-trap.h says what it is. */
#define _GNU_SOURCE
#include "guest-trap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#ifndef SEGV_PKUERR
#define SEGV_PKUERR 4
#endif

/* Node's handler, and V8's in it, run on this stack too. */
enum { ALT_STACK_BYTES = 128 * 1024, PAGE_BYTES = 4096, RED_ZONE_BYTES = 128 };

/* What the FFI pushes before it changes to the script's stack, and what malloc takes, are a fraction of it. */
enum { HOST_STACK_BYTES = 32 * 1024 };

typedef struct range {
  uint64_t start, end;
} range;

typedef struct thread_state {
  gst_record record;
  gst_frame* innermost;
  range* ranges;
  size_t num_ranges;
  void* alt_stack; /* NULL if the thread had one already */
  size_t alt_stack_bytes;
} thread_state;

/* Initial-exec, so that the handler can read it in any thread: the usual model may call malloc. */
static __thread thread_state* this_thread __attribute__((tls_model("initial-exec")));

__thread uintptr_t gst_stack_limit;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int install_errno;
static pthread_key_t thread_key;
static struct sigaction previous_segv, previous_bus;
static int has_protection_keys;

/* ---- protection key rights ---- */

static uint32_t read_rights(void) {
#if defined(__x86_64__)
  if (has_protection_keys) {
    uint32_t rights, zero;
    __asm__ volatile("rdpkru" : "=a"(rights), "=d"(zero) : "c"(0));
    return rights;
  }
#endif
  return 0;
}

static void write_rights(uint32_t rights) {
#if defined(__x86_64__)
  if (has_protection_keys) __asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory");
#else
  (void)rights;
#endif
}

static int find_protection_keys(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  const unsigned OSPKE = 1u << 4; /* leaf 7, ECX: the system lets programs use RDPKRU */
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & OSPKE) != 0;
#else
  return 0;
#endif
}

/* ---- what the processor said ---- */

static uint64_t stack_pointer_of(const ucontext_t* context) {
#if defined(__x86_64__)
  return (uint64_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
  return context->uc_mcontext.sp;
#endif
}

static uint64_t program_counter_of(const ucontext_t* context) {
#if defined(__x86_64__)
  return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return context->uc_mcontext.pc;
#endif
}

static int32_t access_of(const ucontext_t* context) {
#if defined(__x86_64__)
  return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0; /* page fault error code, bit 1: write */
#else
  (void)context;
  return -1;
#endif
}

/* ---- the handler ---- */

static int is_watched(const thread_state* thread, uint64_t address) {
  for (size_t i = 0; i < thread->num_ranges; i++) {
    if (address >= thread->ranges[i].start && address < thread->ranges[i].end) return 1;
  }
  return 0;
}

/* Guests are compiled with -fstack-clash-protection: they touch each page of a frame, so they fault where the pointer is. */
static int is_stack_end(uint64_t address, uint64_t stack_pointer) {
  return address + PAGE_BYTES + RED_ZONE_BYTES >= stack_pointer && address < stack_pointer + PAGE_BYTES;
}

static __attribute__((noreturn)) void trap(thread_state* thread, int32_t kind, int32_t code) {
  gst_frame* frame = thread->innermost;
  thread->record.kind = kind;
  thread->record.code = code;
  thread->record.traps++;
  siglongjmp(frame->jump, 1);
}

/* A trap without a fault. */
static __attribute__((noreturn)) void raise_trap(thread_state* thread, int32_t kind, int32_t code) {
  thread->record.address = 0;
  thread->record.pc = 0;
  thread->record.access = -1;
  thread->record.key = -1;
  trap(thread, kind, code);
}

/* As the kernel would have called it. The default action: put it back and fault again, which kills, with the true address. */
static void pass_on(const struct sigaction* previous, int signal, siginfo_t* info, void* context) {
  if ((previous->sa_flags & SA_SIGINFO) != 0) {
    previous->sa_sigaction(signal, info, context);
  } else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
    struct sigaction fallback;
    memset(&fallback, 0, sizeof fallback);
    fallback.sa_handler = SIG_DFL;
    sigaction(signal, &fallback, NULL);
    if (info->si_code <= 0) raise(signal); /* somebody sent it: it would not come again */
  } else {
    previous->sa_handler(signal);
  }
}

static void on_fault(int signal, siginfo_t* info, void* opaque) {
  ucontext_t* context = opaque;
  thread_state* thread = this_thread;
  const int from_kernel = info->si_code > 0;
  if (from_kernel && thread != NULL && thread->innermost != NULL && thread->innermost->in_host == GST_NO_HOST) {
    const uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
    int32_t kind = GST_NONE;
    if (is_watched(thread, address)) kind = GST_FAULT;
    else if (is_stack_end(address, stack_pointer_of(context))) kind = GST_STACK;
    if (kind != GST_NONE) {
      thread->record.address = address;
      thread->record.pc = program_counter_of(context);
      thread->record.access = access_of(context);
      thread->record.key = info->si_code == SEGV_PKUERR ? (int32_t)info->si_pkey : -1;
      /* The kernel blocked this signal for the handler. What the guest had is put back, for nobody returns from here. */
      pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL);
      trap(thread, kind, info->si_code);
    }
  }
  pass_on(signal == SIGBUS ? &previous_bus : &previous_segv, signal, info, context);
}

/* ---- readying the process and its threads ---- */

static int give_alt_stack(thread_state* thread) {
  stack_t had;
  if (sigaltstack(NULL, &had) != 0) return -1;
  if ((had.ss_flags & SS_DISABLE) == 0 && had.ss_size >= ALT_STACK_BYTES / 2) return 0;
  const size_t bytes = ALT_STACK_BYTES + PAGE_BYTES;
  char* base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return -1;
  stack_t stack = {.ss_sp = base + PAGE_BYTES, .ss_size = ALT_STACK_BYTES, .ss_flags = 0};
  if (mprotect(base, PAGE_BYTES, PROT_NONE) != 0 || sigaltstack(&stack, NULL) != 0) {
    const int failure = errno;
    munmap(base, bytes);
    errno = failure;
    return -1;
  }
  thread->alt_stack = base;
  thread->alt_stack_bytes = bytes;
  return 0;
}

/* At the end of a thread. */
static void forget_thread(void* opaque) {
  thread_state* thread = opaque;
  this_thread = NULL;
  if (thread->alt_stack != NULL) {
    stack_t none = {.ss_flags = SS_DISABLE};
    stack_t had;
    if (sigaltstack(NULL, &had) == 0 && had.ss_sp == (char*)thread->alt_stack + PAGE_BYTES) sigaltstack(&none, NULL);
    munmap(thread->alt_stack, thread->alt_stack_bytes);
  }
  free(thread->ranges);
  free(thread);
}

static void install(void) {
  has_protection_keys = find_protection_keys();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  install_errno = pthread_key_create(&thread_key, forget_thread);
  if (install_errno != 0) return;
  /* Read before they are replaced: another thread may fault between the two. */
  if (sigaction(SIGSEGV, NULL, &previous_segv) != 0 || sigaction(SIGBUS, NULL, &previous_bus) != 0 ||
      sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0) {
    install_errno = errno;
  }
}

gst_record* gst_thread(void) {
  if (this_thread != NULL) return &this_thread->record;
  pthread_once(&once, install);
  if (install_errno != 0) {
    errno = install_errno;
    return NULL;
  }
  thread_state* thread = calloc(1, sizeof *thread);
  if (thread == NULL) return NULL;
  if (give_alt_stack(thread) != 0) {
    free(thread);
    return NULL;
  }
  const int failure = pthread_setspecific(thread_key, thread);
  if (failure != 0) {
    forget_thread(thread);
    errno = failure;
    return NULL;
  }
  this_thread = thread;
  return &thread->record;
}

int gst_installed(void) {
  struct sigaction now;
  return sigaction(SIGSEGV, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault;
}

int gst_watch(uint64_t address, uint64_t bytes) {
  thread_state* thread = this_thread;
  if (thread == NULL || bytes == 0 || address + bytes < address) {
    errno = EINVAL;
    return -1;
  }
  range* grown = realloc(thread->ranges, (thread->num_ranges + 1) * sizeof *grown);
  if (grown == NULL) return -1;
  thread->ranges = grown;
  grown[thread->num_ranges++] = (range){.start = address, .end = address + bytes};
  return 0;
}

void gst_unwatch(uint64_t address) {
  thread_state* thread = this_thread;
  if (thread == NULL) return;
  for (size_t i = 0; i < thread->num_ranges; i++) {
    if (thread->ranges[i].start == address) {
      thread->ranges[i] = thread->ranges[--thread->num_ranges];
      return;
    }
  }
}

void gst_set_stack(uint64_t low) {
  gst_stack_limit = (uintptr_t)low + GST_STACK_ROOM;
}

uint64_t gst_on_stack(void) {
  return gst_stack_pointer;
}

void gst_stack_ended(void) {
  thread_state* thread = this_thread;
  if (thread == NULL || thread->innermost == NULL) abort(); /* outside of a guarded call: nowhere to go */
  raise_trap(thread, GST_STACK, 0);
}

/* ---- guarded calls ---- */

void gst_enter(gst_frame* frame) {
  thread_state* thread = this_thread;
  if (thread == NULL) abort(); /* nobody called gst_thread here: a fault would have nowhere to go */
  frame->outer = thread->innermost;
  frame->in_host = GST_NO_HOST;
  frame->pkru = read_rights();
  thread->record.kind = GST_NONE;
  thread->innermost = frame;
}

void gst_leave(gst_frame* frame) {
  thread_state* thread = this_thread;
  thread->innermost = frame->outer;
  /* The function of the host that made this call goes on, and has not said yet how it ended. */
  if (frame->outer != NULL) thread->record.host_failed = frame->outer->in_host == GST_HOST_SCRIPT;
  /* The kernel closed every key for the handler, and a jump does not open them again. */
  if (thread->record.kind != GST_NONE) write_rights(frame->pkru);
}

/* Compiled with -fstack-clash-protection, so that each page of the room is touched on the way down: faults as any frame would. */
__attribute__((noinline)) void gst_require_stack(void) {
  volatile char room[HOST_STACK_BYTES];
  room[0] = 0;
}

void gst_host_enter(uint32_t host) {
  gst_require_stack();
  thread_state* thread = this_thread;
  thread->innermost->in_host = host;
  thread->record.host_failed = host == GST_HOST_SCRIPT;
}

void gst_host_leave(void) {
  thread_state* thread = this_thread;
  thread->innermost->in_host = GST_NO_HOST;
  /* A guarded call inside the host function may have left its trap here; it was told to its own caller. */
  thread->record.kind = GST_NONE;
  if (thread->record.host_failed == 0) return;
  thread->record.host_failed = 0;
  raise_trap(thread, GST_HOST, 0);
}

void gst_raise(int32_t code) {
  thread_state* thread = this_thread;
  if (thread == NULL || thread->innermost == NULL) abort(); /* outside of a guarded call: nowhere to go */
  raise_trap(thread, GST_RAISED, code);
}
