/**
 * Holds the pool against V8, module by module: who accepts it, what its memories start with, byte for byte, and whether the
 * next tenant finds the same.
 */
import {
  describeModule,
  InvalidModuleError,
  MemoryPool,
  ModuleLimitError,
  ModuleNotPoolableError,
  type ModuleMemory,
  type PoolModule,
  type Store,
} from '@guardstripe/memory-pool';
import { withPlainPages } from './plain.ts';
import { referenceOf, type MemoryToImport, type Reference } from './reference.ts';
import { split } from './sections.ts';
import { webAssembly } from './web-assembly.ts';

const PAGE = 65_536;
const MAX_MEMORY_BYTES = 64 * PAGE;
/** V8 makes all of a module's memories; the largest of what is compared at once. */
const MAX_COMPARED_BYTES = 256 * PAGE;

/** How a module fared, where all was as it must be. */
export const OUTCOMES = [
  'invalid to both',
  'over a limit',
  'same bytes',
  'traps in both',
  'no memory of its own',
  'not poolable',
  'too large to compare',
  'not linked',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A difference: the module is to be looked at. */
export class Difference extends Error {
  override readonly name = 'Difference';
}

/** One pool for many modules, so that each finds slots that another left. */
export class Comparison implements Disposable {
  readonly #pool: MemoryPool;
  readonly #store: Store;

  /** @param keepResident - bytes a free slot may keep: 0 drops pages, more writes them back */
  constructor(keepResident: number) {
    this.#pool = MemoryPool.create({
      totalMemories: 3,
      maxMemoriesPerModule: 100_000,
      maxMemorySize: MAX_MEMORY_BYTES,
      memoryReservation: MAX_MEMORY_BYTES,
      memoryGuardSize: PAGE,
      linearMemoryKeepResident: keepResident,
      memoryProtectionKeys: 'disable',
    });
    this.#store = this.#pool.openStore();
  }

  [Symbol.dispose](): void {
    this.#pool.close({ force: true });
  }

  /** @throws {@link Difference}, or whatever must not be thrown */
  compare(bytes: Uint8Array): Outcome {
    const accepted = webAssembly.validate(bytes);
    let module: PoolModule;
    try {
      module = describeModule(bytes);
    } catch (error) {
      if (error instanceof ModuleLimitError) return 'over a limit';
      if (!(error instanceof InvalidModuleError)) throw error;
      if (accepted) throw new Difference(`V8 accepts it, and we say: ${error.message}`);
      return 'invalid to both';
    }
    try {
      return this.#compareMemories(module, readable(bytes, accepted));
    } finally {
      module.close();
    }
  }

  #compareMemories(module: PoolModule, bytes: Uint8Array | undefined): Outcome {
    const { memories } = module;
    if (bytes === undefined)
      return isBeyondV8(memories) ? 'too large to compare' : refuse('We accept it, V8 does not');
    if (module.numDefinedMemories === 0) return 'no memory of its own';
    const sizes = memories.map(({ initialPages, pageBytes }) => Number(initialPages) * pageBytes);
    if (sizes.reduce((sum, size) => sum + size, 0) > MAX_COMPARED_BYTES) return 'too large to compare';
    const reference = referenceOf(bytes, memories.filter(({ kind }) => kind === 'imported').map(plainType));
    const outOfBounds = memories.some(({ obstacle }) => obstacle?.includes('out of bounds'));
    if (outOfBounds && reference.kind === 'memories' && memories.every(({ pageBytes }) => pageBytes === PAGE))
      throw new Difference('We say that a segment is out of bounds, and V8 makes an instance');
    try {
      this.#pool.validateModule(module);
    } catch (error) {
      if (!(error instanceof ModuleNotPoolableError)) throw error;
      return outOfBounds && reference.kind === 'traps' ? 'traps in both' : 'not poolable';
    }
    return this.#compareBytes(
      module,
      reference,
      split(bytes).some(({ id }) => id === 9),
    );
  }

  /** @param hasElements - whether there are segments of tables, which can trap as well */
  #compareBytes(module: PoolModule, reference: Reference, hasElements: boolean): Outcome {
    const couldTrapElsewhere = module.memories.some(
      ({ kind, initialization }) => kind === 'imported' || initialization === 'guest',
    );
    for (const memory of module.memories) {
      if (memory.kind === 'imported') continue;
      const expected =
        memory.initialization === 'guest'
          ? new Uint8Array(Number(memory.initialPages) * memory.pageBytes)
          : reference.kind === 'memories'
            ? expectedOf(memory, reference.bytesOf(memory.index))
            : undefined;
      for (let tenant = 0; tenant < 2; tenant++) this.#tryTenant(module, memory, expected);
    }
    if (reference.kind === 'memories') return 'same bytes';
    if (reference.kind === 'traps' && !couldTrapElsewhere && !hasElements)
      throw new Difference('V8 traps, and we make the memories');
    return 'not linked';
  }

  #tryTenant(module: PoolModule, { index }: ModuleMemory, expected: Uint8Array | undefined): void {
    const memory = this.#store.allocate({ module, memoryIndex: index });
    try {
      const actual = Buffer.from(memory.unsafeBuffer);
      if (expected !== undefined && !actual.equals(expected)) {
        const at = actual.findIndex((byte, i) => byte !== expected[i]);
        throw new Difference(
          `Memory ${index} of ${actual.length} bytes, V8's of ${expected.length}, differs from byte ${at} on: ` +
            `${actual[at]} instead of ${expected[at]}`,
        );
      }
      // The next tenant must not find any of this.
      actual.subarray(0, PAGE).fill(0xee);
      actual.subarray(-PAGE).fill(0xee);
    } finally {
      memory.free();
    }
  }
}

/** The module as V8 can read it. */
function readable(bytes: Uint8Array, accepted: boolean): Uint8Array | undefined {
  if (accepted) return bytes;
  const plain = withPlainPages(bytes);
  return plain !== undefined && webAssembly.validate(plain) ? plain : undefined;
}

/** Whether V8 has no such memory, or none so large, and nobody but us can say anything. */
function isBeyondV8(memories: readonly ModuleMemory[]): boolean {
  return memories.some(
    ({ address, pageBytes, initialPages, maximumPages }) =>
      address === 'i64' || (pageBytes === 1 && (maximumPages ?? initialPages) > 2n ** 31n),
  );
}

function refuse(message: string): never {
  throw new Difference(message);
}

function plainType({ address, shared, pageBytes, initialPages, maximumPages }: ModuleMemory): MemoryToImport {
  const pages = (count: bigint): bigint => (count * BigInt(pageBytes) + BigInt(PAGE - 1)) / BigInt(PAGE);
  return {
    address,
    shared,
    initialPages: pages(initialPages),
    maximumPages: maximumPages === undefined ? undefined : pages(maximumPages),
  };
}

/** V8's memory is a whole number of its pages; what is behind the end must be zeros, or a segment went too far unnoticed. */
function expectedOf({ index, initialPages, pageBytes }: ModuleMemory, bytes: Uint8Array): Uint8Array {
  const byteLength = Number(initialPages) * pageBytes;
  if (bytes.subarray(byteLength).some((byte) => byte !== 0))
    throw new Difference(
      `A segment of memory ${index} lies behind its ${byteLength} bytes, and we do not say so`,
    );
  return bytes.subarray(0, byteLength);
}
