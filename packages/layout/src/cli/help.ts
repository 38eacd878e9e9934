/** What `slab-plan --help` prints. */

export const HELP = `Usage: slab-plan [plan] [options]           how many memories fit, what bounds them, what to change
       slab-plan draw [options]             the slab as a picture
       slab-plan locate OFFSET [options]    what lies at an offset of the slab, such as that of a fault
       slab-plan help                       this

Sizes are bytes, or as in 64MiB, 4GiB, 1.5T, 0x1000.

Settings of the pool (the last one wins: file, -O, the rest)
  --settings FILE               JSON, by our names or Wasmtime's; - reads standard input
  -O NAME[=VALUE],...           Wasmtime's own flags, with Wasmtime's defaults
  --total-memories N            slots (default 1000)
  --max-memory-size SIZE        most bytes of one memory (4GiB)
  --memory-reservation SIZE     bytes that code takes as reserved for a memory (4GiB)
  --memory-guard-size SIZE      bytes behind them that must fault (32MiB)
  --guard-before-linear-memory y|n        the same guard before the first slot (y)
  --linear-memory-keep-resident SIZE      bytes that a freed memory may keep in RAM (4MiB; with -O 0)
  --max-unused-bytes-resident SIZE        bytes that all freed memories may keep (128MiB; Wasmtime has no such bound)
  --max-unused-warm-slots N     free slots kept for their modules (100)
  --memory-protection-keys auto|enable|disable    stripes by keys (auto; with -O disable)
  --max-memory-protection-keys N          most keys to take (16)
  --embedding node|wasmtime     whose process it is: V8 leaves less address space (node; with -O wasmtime)

The host (default: x86-64 Linux, 47 address bits, 4 KiB pages, no keys)
  --this-host                   the machine that this runs on (Linux); the rest overrides it
  --address-bits N              bits of a user address (47)
  --page-size SIZE              bytes of a page (4096)
  --max-map-count N|none        vm.max_map_count (65530)
  --keys N                      protection keys (0; at most 15 can be had)
  --memory SIZE|none            RAM for the pool (none: no bound)
  --address-space SIZE|none     RLIMIT_AS (none)
  --largest-reservation SIZE    most bytes in one piece (default: worked out from the bits)

How memories are used
  --resident SIZE               bytes that a live memory writes to (one page)
  --no-image                    memories do not start from an image

draw
  --svg FILE                    an SVG document; without it, text on standard output
  --width N                     of the picture, in characters (80) or pixels (1200)

locate
  --base ADDRESS                where the slab begins; OFFSET is then an address
  --stripe N                    the stripe of the guest that touched the byte
  --memory-bytes SIZE           how large the memories are now

  --json                        the answer as JSON, alone, on standard output; its "settings" are a pool's and a file's
  --version                     print the version
  -h, --help                    print this

Exit codes:
  0  the pool fits, and all its memories can be live at once; or the slab was drawn, the byte found
  1  the pool cannot be made
  2  the command line is wrong, a file cannot be read, or the answer cannot be written
  3  the pool can be made, but not all its memories can be live at once
What does not fit bounds nothing but the plan: draw and locate take any slab. An OFFSET below 0 goes behind --, as in:
locate -- -16
`;
