/** The same said to both pools, and what each answers: settings that do not fit, limits that are reached, odd values. */
import { describeModule, MemoryPool } from '@guardstripe/memory-pool';
import { encodeModule } from '@guardstripe/wasm-builder';
import { imageContents, moduleBytes } from '../support/wasm-module.ts';
import { WasmtimeError, type Wasmtime } from './program.ts';
import { forWasmtime, type SharedSettings } from './settings.ts';

interface Story {
  readonly what: string;
  readonly settings: SharedSettings;
  /** To be made one after the other, and kept. */
  readonly instances?: number;
  readonly module?: Uint8Array<ArrayBuffer>;
}

/** What both said. */
export interface Answers {
  readonly what: string;
  readonly wasmtime: string;
  readonly pool: string;
}

const KIB64 = 65_536;
const GIB = 2 ** 30;
const ONE_PAGE = moduleBytes(1, imageContents(256));

const STORIES: readonly Story[] = [
  { what: 'a slab that does not fit', settings: { totalMemories: 1_000_000 } },
  { what: 'one memory too many', settings: { totalMemories: 3 }, instances: 4 },
  { what: 'no slots at all', settings: { totalMemories: 0 }, instances: 1 },
  {
    what: 'a module whose memory starts larger than a slot',
    settings: { totalMemories: 3, maxMemorySize: KIB64 },
    module: moduleBytes(3, imageContents(16)),
    instances: 1,
  },
  {
    what: 'a module with more memories than one may have',
    settings: { totalMemories: 3 },
    module: encodeModule({ memories: [{ minimum: 1 }, { minimum: 1 }] }),
    instances: 1,
  },
  {
    what: 'a segment out of bounds',
    settings: { totalMemories: 3 },
    module: encodeModule({
      memories: [{ minimum: 1 }],
      segments: [{ memoryIndex: 0, offset: KIB64 - 1, data: [1, 2] }],
    }),
    instances: 1,
  },
  {
    what: 'a memory larger than its reservation',
    settings: { totalMemories: 3, maxMemorySize: 8 * GIB, memoryReservation: 4 * GIB },
  },
  {
    what: 'memories of an odd size',
    settings: { totalMemories: 3, maxMemorySize: KIB64 + 1, memoryReservation: KIB64 + 1 },
    instances: 3,
  },
  {
    what: 'a guard of one byte',
    settings: { totalMemories: 3, maxMemorySize: KIB64, memoryReservation: KIB64, memoryGuardSize: 1 },
    instances: 3,
  },
  { what: 'no guard', settings: { totalMemories: 3, memoryGuardSize: 0 }, instances: 3 },
  { what: 'keys where there are none', settings: { totalMemories: 3, memoryProtectionKeys: 'enable' } },
  { what: 'a batch of no regions', settings: { totalMemories: 3, decommitBatchSize: 0 }, instances: 3 },
];

/** Tells each story to both. */
export async function answers(wasmtime: Wasmtime): Promise<readonly Answers[]> {
  const said: Answers[] = [];
  for (const story of STORIES)
    said.push({ what: story.what, wasmtime: await askWasmtime(wasmtime, story), pool: askPool(story) });
  return said;
}

async function askWasmtime(
  wasmtime: Wasmtime,
  { settings, module = ONE_PAGE, instances = 0 }: Story,
): Promise<string> {
  try {
    await wasmtime.settings(forWasmtime(settings));
    await wasmtime.module(module);
    // Their number, and behind it what was said to the one too many.
    const answer = await wasmtime.ask(`live ${instances}`);
    const [live, ...words] = answer.split(' ');
    return told(Number(live), words.join(' '));
  } catch (error) {
    if (error instanceof WasmtimeError) return error.message;
    throw error;
  }
}

function askPool({ settings, module: bytes = ONE_PAGE, instances = 0 }: Story): string {
  try {
    using pool = MemoryPool.create(settings);
    using module = describeModule(bytes);
    const store = pool.openStore();
    try {
      for (let n = 0; n < instances; n++) store.allocate({ module });
    } catch (error) {
      return told(store.liveMemories, coded(error));
    }
    return told(store.liveMemories, '');
  } catch (error) {
    return coded(error);
  }
}

function told(live: number, refusal: string): string {
  if (refusal === '') return `makes ${live}`;
  return live === 0 ? refusal : `makes ${live}, then: ${refusal}`;
}

function coded(error: unknown): string {
  const { message, code } = error as Error & { readonly code?: string };
  return code === undefined ? message : `\`${code}\`: ${message}`;
}

/** What is said is too long for columns. */
export function printAnswers(said: readonly Answers[]): void {
  console.log('\nThe same said to both');
  for (const { what, wasmtime, pool } of said)
    console.log(`\n${what}\n  Wasmtime: ${wasmtime}\n  pool: ${pool}`);
}
