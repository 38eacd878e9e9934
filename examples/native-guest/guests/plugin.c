/* A guest that is no WebAssembly: plain C, called through the trap bridge. It can also go wrong as WebAssembly cannot. */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "guest-trap.h"

/* Reads a byte at any address, guarded. -1 if it trapped. */
GST_API int32_t plugin_read(const uint8_t* base, int64_t offset) {
  gst_frame frame;
  int32_t result = -1;
  gst_enter(&frame);
  if (sigsetjmp(frame.jump, 0) == 0) result = *(const volatile uint8_t*)(base + offset);
  gst_leave(&frame);
  return result;
}

/* The same for a write. */
GST_API int32_t plugin_write(uint8_t* base, int64_t offset, uint8_t value) {
  gst_frame frame;
  int32_t result = -1;
  gst_enter(&frame);
  if (sigsetjmp(frame.jump, 0) == 0) {
    *(volatile uint8_t*)(base + offset) = value;
    result = value;
  }
  gst_leave(&frame);
  return result;
}

/* Reads without a guard: the process ends if that faults. */
GST_API int32_t plugin_read_unguarded(const uint8_t* address) {
  return *(const volatile uint8_t*)address;
}

/* Reads while a function of the host runs: not the guest's fault either. */
GST_API int32_t plugin_read_in_host(const uint8_t* address) {
  gst_frame frame;
  int32_t result = -1;
  gst_enter(&frame);
  if (sigsetjmp(frame.jump, 0) == 0) {
    gst_host_enter(GST_HOST_C);
    result = *(const volatile uint8_t*)address;
    gst_host_leave();
  }
  gst_leave(&frame);
  return result;
}

/* Signals that the calling thread blocks, bit n - 1 for signal n. */
GST_API uint64_t plugin_blocked_signals(void) {
  sigset_t set;
  uint64_t bits = 0;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  for (int signal = 1; signal < 64; signal++) bits |= (uint64_t)sigismember(&set, signal) << (signal - 1);
  return bits;
}

/* Blocks or unblocks a signal in the calling thread. */
GST_API void plugin_block_signal(int32_t signal, int32_t block) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static volatile sig_atomic_t foreign_calls;

static void foreign_handler(int signal) {
  (void)signal;
  foreign_calls++;
}

/* A handler that somebody else installed, before or after the bridge's. */
GST_API void plugin_install_foreign_handler(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = foreign_handler;
  sigaction(SIGSEGV, &action, NULL);
}

GST_API int32_t plugin_foreign_calls(void) {
  return foreign_calls;
}
