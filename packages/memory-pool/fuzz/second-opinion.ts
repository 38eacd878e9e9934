/** Holds the pool against Wasmtime where V8 has nothing to say. Needs Rust, for the program in `benchmarks/wasmtime`. */
import { buildProgram, Wasmtime, WasmtimeError } from '../../../benchmarks/wasmtime/program.ts';
import {
  describeModule,
  MemoryPool,
  ModuleNotPoolableError,
  type ModuleMemory,
  type PoolModule,
} from '@guardstripe/memory-pool';
import { beyondModule, memoryName } from './beyond.ts';
import { Difference } from './compare.ts';
import { digestOf } from './digest.ts';
import { Random } from './random.ts';
import type { Case } from './run.ts';

const PAGE = 65_536;
const SMALL_BYTES = 64 * PAGE;
const HUGE_BYTES = 2 ** 34 + 64 * PAGE;

/** What was compared, where all was as it must be. */
export interface SecondTally {
  modules: number;
  /** Memories whose bytes were compared, and how many of them V8 cannot read. */
  memories: number;
  beyondV8: number;
  /** Modules with a segment out of bounds, which both refuse. */
  outOfBounds: number;
  bytes: number;
}

/** What came of it. */
export interface SecondOpinion {
  readonly tally: SecondTally;
  readonly finding: { readonly failed: Case; readonly error: unknown } | undefined;
}

/**
 * Compares modules of the seeds from `firstSeed` on; `undefined` where there is no Wasmtime.
 *
 * @param goOn - asked before each
 */
export async function secondOpinion(
  firstSeed: number,
  goOn: (count: number) => boolean,
): Promise<SecondOpinion | undefined> {
  const executable = buildProgram();
  if (executable === undefined) return undefined;
  using wasmtime = new Wasmtime(executable);
  using small = makePool(SMALL_BYTES);
  using huge = makePool(HUGE_BYTES);
  const tally: SecondTally = { modules: 0, memories: 0, beyondV8: 0, outOfBounds: 0, bytes: 0 };
  for (let count = 0; goOn(count); count++) {
    const failed = { seed: firstSeed + count, bytes: beyondModule(new Random(firstSeed + count)) };
    try {
      using module = describeModule(failed.bytes);
      const isHuge = module.memories.some((memory) => byteLengthOf(memory) > SMALL_BYTES);
      await compare(wasmtime, isHuge ? huge : small, module, wasmtime.file(failed.bytes), tally);
    } catch (error) {
      return { tally, finding: { failed, error } };
    }
  }
  return { tally, finding: undefined };
}

function makePool(slotBytes: number): MemoryPool {
  return MemoryPool.create({
    totalMemories: 1,
    maxMemoriesPerModule: 100,
    maxMemorySize: slotBytes,
    memoryReservation: slotBytes,
    memoryProtectionKeys: 'disable',
  });
}

const byteLengthOf = ({ initialPages, pageBytes }: ModuleMemory): number => Number(initialPages) * pageBytes;

async function compare(
  wasmtime: Wasmtime,
  pool: MemoryPool,
  module: PoolModule,
  path: string,
  tally: SecondTally,
): Promise<void> {
  tally.modules += 1;
  const expected = await askWasmtime(wasmtime, path);
  const actual = askPool(pool, module, tally);
  if (actual !== expected) throw new Difference(`Wasmtime says\n${expected}\nand we\n${actual}`);
}

/** One line a memory. */
async function askWasmtime(wasmtime: Wasmtime, path: string): Promise<string> {
  try {
    return (await wasmtime.ask(`digest ${path}`)).replaceAll(' ', '\n');
  } catch (error) {
    if (error instanceof WasmtimeError && /out of bounds/.test(error.message)) return 'out of bounds';
    throw error;
  }
}

function askPool(pool: MemoryPool, module: PoolModule, tally: SecondTally): string {
  try {
    pool.validateModule(module);
  } catch (error) {
    if (!(error instanceof ModuleNotPoolableError) || !/out of bounds/.test(error.message)) throw error;
    tally.outOfBounds += 1;
    return 'out of bounds';
  }
  using store = pool.openStore();
  return module.memories
    .map((described) => {
      using memory = store.allocate({ module, memoryIndex: described.index });
      const bytes = new Uint8Array(memory.unsafeBuffer);
      tally.memories += 1;
      tally.bytes += bytes.length;
      if (described.pageBytes === 1 || bytes.length > SMALL_BYTES) tally.beyondV8 += 1;
      const line = `${memoryName(described.index)}:${bytes.length}:${digestOf(bytes)}`;
      // The next one must not find any of this.
      bytes.fill(0xee, 0, PAGE);
      bytes.fill(0xee, Math.max(0, bytes.length - PAGE));
      return line;
    })
    .join('\n');
}
