/**
 * Holds as many memories as it can, one process for each kind: it ends at the limits of one.
 *
 *     node hold-child.ts KIND
 *
 * Prints a line of JSON every now and then, and one at the end: at the limit of mappings nothing in the process gets
 * memory any more, neither malloc nor V8, and a process that dies of it must have said how far it came.
 */
import {
  describeMemory,
  describeModule,
  MemoryPool,
  PoolConcurrencyLimitError,
  PoolCreationError,
  type Store,
} from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import { readFileSync, writeSync } from 'node:fs';
import { imageContents, moduleBytes, PAGE, WASM_PAGE } from '../support/wasm-module.ts';

const MIB = 2 ** 20;
/** More than any of them gets. */
const PLENTY = 100_000;
/**
 * Slots of the first pool, and of the last. V8 scatters its pages over the lower 64 TiB of the address space, so one slab
 * of 64 TiB fits at most; the rest is taken by smaller ones, as it is by an engine that reserves each memory alone.
 */
const MOST_SLOTS_PER_POOL = 8000;
const FEWEST_SLOTS_PER_POOL = 30;
const PROGRESS_EVERY = 100;
/** Slots for guests that check bounds; otherwise reservation and guard are as the defaults have them. */
const CLOSE = { memoryReservation: MIB, memoryGuardSize: WASM_PAGE };

/** What holds the memories. */
export type HoldKind = 'pool-image' | 'pool-zeros' | 'pool-close' | 'pool-views' | 'memory' | 'instance';

/** What the child prints. */
export interface HoldResult {
  readonly held: number;
  readonly totalNs: number;
  readonly residentBytes: number;
  readonly addressSpaceBytes: number;
  readonly mappings: number;
  /** What ended it; absent in lines that only tell how far it is. */
  readonly error?: string;
}

/** Returns a function that makes one more. Every one is written to once: a memory that nobody can touch is no memory. */
function maker(kind: HoldKind): () => unknown {
  const bytes = moduleBytes(MIB / WASM_PAGE, imageContents(WASM_PAGE));
  if (kind === 'memory') {
    return () => {
      const memory = new WebAssembly.Memory({ initial: MIB / WASM_PAGE, maximum: 65_536 });
      new Uint8Array(memory.buffer)[0] = 1;
      return memory;
    };
  }
  if (kind === 'instance') {
    const compiled = new WebAssembly.Module(bytes);
    return () => new WebAssembly.Instance(compiled);
  }
  const module = kind === 'pool-image' ? describeModule(bytes) : describeMemory({ initial: MIB / WASM_PAGE });
  let slots = MOST_SLOTS_PER_POOL;
  const openStore = (): Store => {
    try {
      const config = { totalMemories: slots, maxMemorySize: MIB, memoryProtectionKeys: 'disable' } as const;
      return MemoryPool.create({ ...config, ...(kind === 'pool-close' ? CLOSE : {}) }).openStore();
    } catch (error) {
      if (!(error instanceof PoolCreationError) || slots < 2 * FEWEST_SLOTS_PER_POOL) throw error;
      slots = Math.floor(slots / 2);
      return openStore();
    }
  };
  let store = openStore();
  const allocate = () => {
    try {
      return store.allocate({ module });
    } catch (error) {
      if (!(error instanceof PoolConcurrencyLimitError)) throw error;
      store = openStore();
      return store.allocate({ module });
    }
  };
  return () => {
    const memory = allocate();
    if (kind === 'pool-views') {
      new Uint8Array(memory.unsafeBuffer)[0] = 1;
    } else {
      const page = createView(memory.address, PAGE);
      new Uint8Array(page)[0] = 1;
      detachView(page);
    }
    return memory;
  };
}

function hold(kind: HoldKind): void {
  const make = maker(kind);
  const held: unknown[] = [];
  let error = 'it has enough';
  const start = process.hrtime.bigint();
  try {
    while (held.length < PLENTY) {
      held.push(make());
      if (held.length % PROGRESS_EVERY === 0) report(held.length, start);
    }
  } catch (thrown) {
    error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  }
  report(held.length, start, error);
}

function report(held: number, start: bigint, error?: string): void {
  const totalNs = Number(process.hrtime.bigint() - start);
  const full = error !== undefined || held % (10 * PROGRESS_EVERY) === 0;
  const line = { held, totalNs, ...(full ? footprint() : {}), ...(error === undefined ? {} : { error }) };
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function footprint(): Pick<HoldResult, 'residentBytes' | 'addressSpaceBytes' | 'mappings'> {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;
  return { residentBytes: kib('VmRSS') * 1024, addressSpaceBytes: kib('VmSize') * 1024, mappings };
}

const kind = process.argv[2] as HoldKind | undefined;
if (kind !== undefined) {
  hold(kind);
  // Nothing is given back one by one: that is not what is measured.
  process.exit(0);
}
