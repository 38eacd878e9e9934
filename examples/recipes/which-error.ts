/**
 * Which error says what: a server in front of a pool turns each into an answer. Test the class, or the `code`, never the text.
 *
 *     busy      wait and ask again      503   every slot or key is taken, too many wait, or the host's mappings run out
 *     refused   this tenant may not     403   its limiter said no, or its module does not fit
 *     gone      the tenancy is over     410   the memory was freed, its store disposed, its module or the pool closed
 *     bug       ours: a wrong argument  500   everything else
 */
import {
  describeMemory,
  MemoryFreedError,
  MemoryLimitError,
  MemoryPool,
  ModuleClosedError,
  ModuleNotPoolableError,
  PoolBusyError,
  PoolClosedError,
  PoolConcurrencyLimitError,
  PoolMappingsError,
  PoolQueueFullError,
  StoreDisposedError,
} from '@guardstripe/memory-pool';
import { host, Mmap, MmapBusyError, MmapClosedError } from '@guardstripe/mmap';
import { isSupported, KeyInUseError, KeyReleasedError, keys, KeysExhaustedError } from '@guardstripe/mpk';

const BUSY = [
  ...[PoolConcurrencyLimitError, PoolQueueFullError, PoolMappingsError, PoolBusyError, MmapBusyError],
  ...[KeysExhaustedError, KeyInUseError],
];
const REFUSED = [MemoryLimitError, ModuleNotPoolableError];
const GONE = [
  ...[MemoryFreedError, StoreDisposedError, ModuleClosedError, PoolClosedError, MmapClosedError],
  KeyReleasedError,
];

type Answer = 'busy' | 'refused' | 'gone' | 'bug';

function answerTo(error: unknown): Answer {
  const isOneOf = (classes: readonly (abstract new (...args: never[]) => Error)[]): boolean =>
    classes.some((each) => error instanceof each);
  if (isOneOf(BUSY)) return 'busy';
  if (isOneOf(REFUSED)) return 'refused';
  return isOneOf(GONE) ? 'gone' : 'bug';
}

async function attempt(what: string, call: () => unknown): Promise<void> {
  try {
    await call();
    console.log(`${what.padEnd(38)} went well`);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    console.log(`${what.padEnd(38)} ${answerTo(error).padEnd(8)} ${name} ${code}`);
  }
}

const WASM_PAGE_BYTES = 65_536;
const pool = MemoryPool.create({
  totalMemories: 1,
  maxMemorySize: 2 * WASM_PAGE_BYTES,
  memoryReservation: 2 * WASM_PAGE_BYTES,
  memoryGuardSize: WASM_PAGE_BYTES,
  maxWaitingAllocations: 0,
});
const module = describeMemory({ initial: 1, maximum: 2 });
const store = pool.openStore({ limiter: { memoryGrowing: (_, desired) => desired <= WASM_PAGE_BYTES } });
const memory = store.allocate({ module });

await attempt('one more than there are slots', () => store.allocate({ module }));
await attempt('waiting, where nobody may wait', () => store.allocateAsync({ module }));
await attempt('closing while memories are live', () => pool.close());
await attempt('growing past what the limiter allows', () => memory.grow(1));
await attempt('a module too large for the pool', () =>
  store.allocate({ module: describeMemory({ initial: 3, maximum: 3 }) }),
);
await attempt('an argument that is none', () => memory.grow('1' as unknown as number));
memory.free();
await attempt('growing what was freed', () => memory.grow(1));
store.dispose();
await attempt('a store that was disposed', () => store.allocate({ module }));
module.close();
await attempt('a module that was closed', () => pool.openStore().allocate({ module }));
pool.close();
await attempt('a pool that was closed', () => pool.openStore());
const map = Mmap.anonymous(host().pageSize);
const pages = { map, offset: 0, byteLength: map.byteLength };
if (isSupported()) {
  const lease = keys(1);
  const [key] = lease.keys;
  key?.protect(pages, 'read-write');
  await attempt('giving back a key that pages carry', () => lease.dispose());
  map.close();
  lease.dispose();
  await attempt('a key that was given back', () => key?.protect(pages, 'read-write'));
}
map.close();
await attempt('a map that was closed', () => map.view());
