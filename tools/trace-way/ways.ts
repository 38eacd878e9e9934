/** The ways that are traced, each on a slot that is warm: used before, with the module's image in place. */
import { platform, type VirtualMemory } from '../../packages/mmap/dist/index.js';
import { describeMemory, MemoryPool, type PooledMemory } from '../../packages/memory-pool/dist/index.js';
import { CallCounter, type Called } from './calls.ts';

/** A way from a public call to the system call. */
export interface Way {
  readonly name: string;
  readonly calls: number;
  /** Those before the first system call; `undefined` if there is none. */
  readonly callsToSystem: number | undefined;
  readonly files: readonly string[];
  readonly called: readonly Called[];
}

const PAGE = 65_536;
const MIB = 2 ** 20;
/** Enough for everything that is made at first use to be there. */
const WARM_LAPS = 5;

/** Allocates and frees a few times, then counts an `allocate` and a `free`, once for each way to reset a slot. */
export function ways(): Way[] {
  using counter = new CallCounter();
  return [
    ...allocateAndFree(counter, 'scan', { pagemapScan: 'auto', linearMemoryKeepResident: MIB }),
    ...allocateAndFree(counter, 'drop', { pagemapScan: 'disable' }),
  ];
}

function allocateAndFree(
  counter: CallCounter,
  reset: string,
  config: { readonly pagemapScan?: 'auto' | 'disable'; readonly linearMemoryKeepResident?: number },
): Way[] {
  using pool = MemoryPool.create({
    totalMemories: 16,
    maxMemorySize: MIB,
    memoryProtectionKeys: 'disable',
    virtualMemory: watched(counter),
    ...config,
  });
  using module = describeMemory({ initial: 2, maximum: 16, contents: new Uint8Array(PAGE).fill(1) });
  const store = pool.openStore();
  const request = { module };
  let memory: PooledMemory | undefined;
  const allocate = () => (memory = store.allocate(request));
  const free = () => memory?.free();
  for (let lap = 0; lap < WARM_LAPS; lap++) {
    allocate();
    free();
  }
  const plain = [way(counter, 'allocate, nothing to change', allocate), way(counter, `free, ${reset}`, free)];
  // A tenant that grew leaves the slot open further than the next one's end: closing that is a system call.
  for (let lap = 0; lap < WARM_LAPS; lap++) {
    allocate();
    memory?.grow(1);
    free();
  }
  return [
    way(counter, 'allocate, the surplus is closed', allocate),
    way(counter, 'grow', () => memory?.grow(1)),
    ...plain,
  ];
}

function way(counter: CallCounter, name: string, action: () => void): Way {
  const called = counter.during(action);
  return {
    name,
    calls: called.reduce((sum, { calls }) => sum + calls, 0),
    callsToSystem: counter.callsToSystem,
    files: [...new Set(called.map(({ file }) => file))].toSorted(),
    called,
  };
}

/** This platform's primitives, of which those that these ways come to tell the counter. */
function watched(counter: CallCounter): VirtualMemory {
  const real = platform();
  return Object.assign(Object.create(real) as VirtualMemory, {
    protect: (...args: Parameters<VirtualMemory['protect']>) => {
      counter.reachSystem();
      real.protect(...args);
    },
    decommit: (...args: Parameters<VirtualMemory['decommit']>) => {
      counter.reachSystem();
      real.decommit(...args);
    },
    scanPages: (...args: Parameters<VirtualMemory['scanPages']>) => {
      counter.reachSystem();
      real.scanPages(...args);
    },
  });
}
