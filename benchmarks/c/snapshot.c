/* What restoring a memory costs without JavaScript: write protection by userfaultfd, and the pages that were written copied back.
 *
 *   memory:  |--- half not zero ---|--- zeros ---|     plain anonymous pages, as V8's are; all of them read once
 *
 * Started with the memory's size in bytes. Reads commands from stdin, one a line, and answers each with the nanoseconds that the restores
 * took, without the writes:
 *
 *   MODE ITERATIONS NUM_PAGES      writes one byte in NUM_PAGES random pages, then restores; ITERATIONS times
 *
 * MODE: watch   PAGEMAP_SCAN for written pages, copy them back, protect them again
 *       copy    the whole memory is written
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define MAX_REGIONS 1024

/* linux/fs.h and linux/userfaultfd.h of Linux 6.7; spelled out, for the headers here may be older than the kernel. */
struct region { uint64_t start, end, categories; };
struct scan_arg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
#define IS_WRITTEN (1 << 1)
#define WP_MATCHING (1 << 0)
#define FEATURE_WP_UNPOPULATED (1 << 13)
#define FEATURE_WP_ASYNC (1 << 15)
#define USER_MODE_ONLY 1

static unsigned char *memory, *saved;
static size_t bytes;
static int pagemap = -1;
static struct region regions[MAX_REGIONS];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(void) {
  int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
  if (fd < 0) die("userfaultfd");
  struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED};
  if (ioctl(fd, UFFDIO_API, &api) != 0) die("UFFDIO_API");
  struct uffdio_register range = {.range = {(uintptr_t)memory, bytes}, .mode = UFFDIO_REGISTER_MODE_WP};
  if (ioctl(fd, UFFDIO_REGISTER, &range) != 0) die("UFFDIO_REGISTER");
  struct uffdio_writeprotect protect = {.range = {(uintptr_t)memory, bytes}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
  if (ioctl(fd, UFFDIO_WRITEPROTECT, &protect) != 0) die("UFFDIO_WRITEPROTECT");
}

static void set_up(void) {
  memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  saved = malloc(bytes);
  if (memory == MAP_FAILED || saved == NULL) die("memory");
  for (size_t i = 0; i < bytes / 2; i++) memory[i] = (unsigned char)(i * 31 + 7);
  memcpy(saved, memory, bytes);
  pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) die("/proc/self/pagemap");
  watch();
}

static void restore_written(void) {
  struct scan_arg scan = {.size = sizeof scan, .start = (uintptr_t)memory, .end = (uintptr_t)memory + bytes,
                          .vec = (uintptr_t)regions, .vec_len = MAX_REGIONS, .category_mask = IS_WRITTEN,
                          .return_mask = IS_WRITTEN};
  while (scan.start < scan.end) {
    int count = ioctl(pagemap, SCAN, &scan);
    if (count < 0) die("PAGEMAP_SCAN");
    for (int i = 0; i < count; i++) {
      size_t offset = regions[i].start - (uintptr_t)memory;
      memcpy(memory + offset, saved + offset, regions[i].end - regions[i].start);
    }
    scan.start = scan.walk_end;
  }
  struct scan_arg protect = {.size = sizeof protect, .flags = WP_MATCHING, .start = (uintptr_t)memory,
                             .end = (uintptr_t)memory + bytes, .category_mask = IS_WRITTEN};
  if (ioctl(pagemap, SCAN, &protect) < 0) die("PM_SCAN_WP_MATCHING");
}

static uint64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000ull + at.tv_nsec;
}

/* Numerical Recipes' generator, the same as the benchmark's in JavaScript. */
static uint32_t state = 1;
static uint32_t next_random(void) { return state = state * 1664525u + 1013904223u; }

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  bytes = strtoull(argv[1], NULL, 10);
  set_up();
  volatile unsigned sum = 0;
  for (size_t at = 0; at < bytes; at += PAGE) sum += memory[at];
  char mode[16];
  unsigned long iterations, pages;
  while (scanf("%15s %lu %lu", mode, &iterations, &pages) == 3) {
    uint64_t taken = 0;
    for (unsigned long i = 0; i < iterations; i++) {
      for (unsigned long p = 0; p < pages; p++) memory[next_random() % (bytes / PAGE) * PAGE] = (unsigned char)i;
      uint64_t start = now();
      if (mode[0] == 'w') restore_written();
      else memcpy(memory, saved, bytes);
      taken += now() - start;
    }
    if (memcmp(memory, saved, bytes) != 0) die("restored bytes");
    printf("%llu\n", (unsigned long long)taken);
    fflush(stdout);
  }
  return 0;
}
