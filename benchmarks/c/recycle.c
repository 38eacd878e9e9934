/* What a pool's recycle costs without a pool: the same pages, the same system calls, no JavaScript.
 *
 *   memory: |--- image, copy-on-write from a sealed file ---|--- zeros ---|    then pages without access
 *
 * Started with the memory's and the image's size in bytes. Reads commands from stdin, one a line, and answers each with the
 * nanoseconds it took:
 *
 *   MODE ITERATIONS PAGE PAGE ...          writes one byte in each page, then resets the memory; ITERATIONS times
 *   MODE:SHIFT:READ ITERATIONS PAGE ...    the same, but each time SHIFT pages further, and with READ 1 after reading every page
 *
 * MODE: drop   madvise(MADV_DONTNEED) over the whole memory
 *       scan   PAGEMAP_SCAN, and the dirty pages are written back
 *       write  the whole memory is written back
 *       kept   the kernel notes first writes (userfaultfd), and those pages are written back
 *       touch  reads every page of the memory, so that the page tables are full; resets nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define MAX_PAGES 16384
#define MAX_REGIONS 64

/* linux/fs.h of Linux 6.7; spelled out, for the headers here may be older than the kernel. */
struct region { uint64_t start, end, categories; };
struct scan_arg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
#define IS_WRITTEN (1 << 1)
#define IS_FILE (1 << 2)
#define IS_PRESENT (1 << 3)
#define IS_SWAPPED (1 << 4)
#define IS_PFNZERO (1 << 5)
#define WP_MATCHING 1

/* linux/userfaultfd.h of Linux 6.7. */
struct uffd_api { uint64_t api, features, ioctls; };
struct uffd_register { uint64_t start, len, mode, ioctls; };
struct uffd_protect { uint64_t start, len, mode; };
#define UFFD_API _IOWR(0xaa, 0x3f, struct uffd_api)
#define UFFD_REGISTER _IOWR(0xaa, 0, struct uffd_register)
#define UFFD_PROTECT _IOWR(0xaa, 6, struct uffd_protect)

static unsigned char *memory;
static const unsigned char *image;
static size_t memory_bytes, image_bytes;
static int pagemap = -1;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void set_up(void) {
  int fd = memfd_create("recycle-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) die("memfd_create");
  unsigned char *bytes = malloc(image_bytes);
  for (size_t i = 0; i < image_bytes; i++) bytes[i] = (unsigned char)(i * 31 + 7);
  for (size_t done = 0; done < image_bytes;) {
    ssize_t wrote = write(fd, bytes + done, image_bytes - done);
    if (wrote < 0) die("write");
    done += (size_t)wrote;
  }
  free(bytes);
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) die("fcntl");
  size_t slab_bytes = 3 * 2 * memory_bytes;
  unsigned char *slab = mmap(NULL, slab_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (slab == MAP_FAILED) die("mmap");
  memory = slab + 2 * memory_bytes;
  if (mprotect(memory, memory_bytes, PROT_READ | PROT_WRITE) != 0) die("mprotect");
  void *mapped = mmap(memory, image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  if (mapped == MAP_FAILED) die("mmap");
  image = mmap(NULL, image_bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (image == MAP_FAILED) die("mmap");
  pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

static void drop(size_t from) {
  if (madvise(memory + from, memory_bytes - from, MADV_DONTNEED) != 0) die("madvise");
}

static void restore(size_t start, size_t end) {
  size_t image_end = end < image_bytes ? end : image_bytes;
  if (start < image_end) memcpy(memory + start, image + start, image_end - start);
  else image_end = start;
  if (image_end < end) memset(memory + image_end, 0, end - image_end);
}

static void scan(void) {
  static struct region regions[MAX_REGIONS];
  struct scan_arg arg = {
    .size = sizeof arg,
    .start = (uintptr_t)memory,
    .end = (uintptr_t)memory + memory_bytes,
    .vec = (uintptr_t)regions,
    .vec_len = MAX_REGIONS,
    .max_pages = memory_bytes / PAGE,
    .category_inverted = IS_FILE | IS_PFNZERO,
    .category_mask = IS_WRITTEN | IS_FILE | IS_PFNZERO,
    .category_anyof_mask = IS_PRESENT | IS_SWAPPED,
    .return_mask = IS_WRITTEN,
  };
  int count = ioctl(pagemap, SCAN, &arg);
  if (count < 0) die("ioctl");
  for (int i = 0; i < count; i++) {
    restore(regions[i].start - (uintptr_t)memory, regions[i].end - (uintptr_t)memory);
  }
  size_t walked = arg.walk_end - (uintptr_t)memory;
  if (walked < memory_bytes) drop(walked);
}

static void watch(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1);
  if (fd < 0) die("userfaultfd");
  struct uffd_api api = { .api = 0xaa, .features = 1 << 13 | 1 << 15 };
  struct uffd_register reg = { .start = (uintptr_t)memory, .len = memory_bytes, .mode = 2 };
  struct uffd_protect protect = { .start = (uintptr_t)memory, .len = memory_bytes, .mode = 1 };
  if (ioctl(fd, UFFD_API, &api) != 0 || ioctl(fd, UFFD_REGISTER, &reg) != 0) die("ioctl");
  if (ioctl(fd, UFFD_PROTECT, &protect) != 0) die("ioctl");
}

static void kept(void) {
  static int watching;
  if (!watching) {
    restore(0, memory_bytes);
    watch();
    watching = 1;
    return;
  }
  static struct region regions[1024];
  struct scan_arg arg = {
    .size = sizeof arg,
    .start = (uintptr_t)memory,
    .end = (uintptr_t)memory + memory_bytes,
    .vec = (uintptr_t)regions,
    .vec_len = 1024,
    .category_mask = IS_WRITTEN,
    .return_mask = IS_WRITTEN,
  };
  int count = ioctl(pagemap, SCAN, &arg);
  if (count < 0) die("ioctl");
  for (int i = 0; i < count; i++) {
    restore(regions[i].start - (uintptr_t)memory, regions[i].end - (uintptr_t)memory);
  }
  struct scan_arg again = {
    .size = sizeof again,
    .flags = WP_MATCHING,
    .start = (uintptr_t)memory,
    .end = (uintptr_t)memory + memory_bytes,
    .category_mask = IS_WRITTEN,
  };
  if (ioctl(pagemap, SCAN, &again) < 0) die("ioctl");
}

static void touch(void) {
  volatile unsigned char sink = 0;
  for (size_t at = 0; at < memory_bytes; at += PAGE) sink ^= memory[at];
}

static void reset(char mode) {
  if (mode == 'd') drop(0);
  else if (mode == 's') scan();
  else if (mode == 'w') restore(0, memory_bytes);
  else if (mode == 'k') kept();
  else touch();
}

/* With a third argument, time of this process alone: on a machine that others use, too. */
static clockid_t clock_id = CLOCK_MONOTONIC;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(clock_id, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) return 2;
  if (argc == 4) clock_id = CLOCK_PROCESS_CPUTIME_ID;
  memory_bytes = strtoull(argv[1], NULL, 10);
  image_bytes = strtoull(argv[2], NULL, 10);
  set_up();
  static char line[1 << 17];
  static size_t pages[MAX_PAGES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *rest = line, *mode = strsep(&rest, " ");
    size_t iterations = strtoull(strsep(&rest, " "), NULL, 10), count = 0;
    for (char *word; (word = strsep(&rest, " \n")) != NULL && count < MAX_PAGES;) {
      if (*word != '\0') pages[count++] = strtoull(word, NULL, 10);
    }
    size_t shift = 0, read = 0, total = memory_bytes / PAGE;
    sscanf(mode, "%*[a-z]:%zu:%zu", &shift, &read);
    uint64_t start = now();
    for (size_t i = 0; i < iterations; i++) {
      if (read) touch();
      for (size_t page = 0; page < count; page++) {
        size_t at = shift == 0 ? pages[page] : (pages[page] + i * shift) % total;
        ((volatile unsigned char *)memory)[at * PAGE] = (unsigned char)i;
      }
      reset(*mode);
    }
    printf("%llu\n", (unsigned long long)(now() - start));
    fflush(stdout);
  }
  return 0;
}
