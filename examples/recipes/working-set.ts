/**
 * A working set of 64 MiB, back to its first state in microseconds. The set is described once and lies in a sealed memory
 * file; each use maps it copy-on-write, and a free puts back only the pages that were written to.
 *
 *     describe once ──▶ allocate ──▶ use, write here and there ──▶ free (puts the dirty pages back) ──▶ allocate ...
 *
 * Beside it, in the same run: `Buffer.copy` of the whole set, which is the usual way. What a free costs goes with the
 * pages that were touched, not with the size: reading the whole set in between takes most of the gain away.
 */
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { host } from '@guardstripe/mmap';

const MIB = 2 ** 20;
const SET_BYTES = 64 * MIB;
const WASM_PAGE_BYTES = 65_536;
const DIRTY_PAGES = 16;
const ROUNDS = 10;
const { pageSize } = host();

/** Stands for what took long to build: an index, a parsed model, the heap of an interpreter. */
const original = Buffer.alloc(SET_BYTES);
for (let at = 0; at < SET_BYTES; at += 4) original.writeUInt32LE(Math.imul(at, 40_503) >>> 0, at);

using pool = MemoryPool.create({
  totalMemories: 3,
  maxMemorySize: SET_BYTES,
  memoryReservation: SET_BYTES,
  // Up to so much of what was written stays in RAM and is put back by copying; the rest is dropped.
  linearMemoryKeepResident: MIB,
});
using module = describeMemory({ initial: SET_BYTES / WASM_PAGE_BYTES, contents: original });
using store = pool.openStore();

type Work = (bytes: Uint8Array, round: number) => void;

const writeSome: Work = (bytes, round) => {
  for (let page = 0; page < DIRTY_PAGES; page += 1) {
    const at = (((page + round) * 7_919) % (SET_BYTES / pageSize)) * pageSize;
    bytes.fill(0xff, at, at + 64);
  }
};

const readAllWriteSome: Work = (bytes, round) => {
  // What must not be found is looked for everywhere.
  if (Buffer.from(bytes.buffer).includes('no such bytes')) throw new Error('Found');
  writeSome(bytes, round);
};

/** Microseconds that the restoring took, the median over the rounds. */
function timeRounds(work: (round: number) => void, restore: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    work(round);
    const start = performance.now();
    restore();
    return (performance.now() - start) * 1000;
  });
  return rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

function compare(name: string, work: Work): void {
  const copy = Buffer.from(original);
  const copyTime = timeRounds(
    (round) => work(copy, round),
    () => original.copy(copy),
  );
  let memory = store.allocate({ module });
  let bytes = new Uint8Array(memory.unsafeBuffer);
  const poolTime = timeRounds(
    (round) => work(bytes, round),
    () => {
      memory.free();
      memory = store.allocate({ module });
      bytes = new Uint8Array(memory.unsafeBuffer);
    },
  );
  const right = original.equals(bytes) && original.equals(copy);
  memory.free();
  const [copied, pooled] = [copyTime, poolTime].map((time) => `${time.toFixed(0)} µs`.padStart(16));
  const ratio = (copyTime / poolTime).toFixed(1);
  console.log(
    `${name.padEnd(30)}${copied}${pooled}${ratio.padStart(8)}   ${right ? 'all bytes right' : 'WRONG BYTES'}`,
  );
  if (!right) process.exitCode = 1;
}

console.log(`restoring ${SET_BYTES / MIB} MiB, median of ${ROUNDS} rounds`);
console.log(
  `${'work in each round'.padEnd(30)}${'Buffer.copy'.padStart(16)}${'free + allocate'.padStart(16)}${'ratio'.padStart(8)}`,
);
compare(`writes to ${DIRTY_PAGES} pages`, writeSome);
compare(`reads all, writes to ${DIRTY_PAGES} pages`, readAllWriteSome);
const { scan } = pool.metrics().resets;
console.log(
  scan > 0
    ? 'dirty pages were found by PAGEMAP_SCAN, and written back'
    : 'no PAGEMAP_SCAN here: pages were dropped',
);
