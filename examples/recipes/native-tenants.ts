/**
 * Many tenants, few slots: each tenant's records are sorted by native code, in a memory of the tenant's own. A full pool is
 * waited for, first come, first served; a wait can be given up; a limiter says how much a tenant may have.
 *
 *     allocateAsync ──▶ (wait for a slot) ──▶ limiter ──▶ enter: native code ──▶ free ──▶ the next one's turn
 *
 * The native code is the C library's `qsort`, with its own `strcmp`: it sorts in place, at an address, and knows nothing of
 * JavaScript. Where there are protection keys, `enter` keeps it out of other tenants' stripes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describeMemory, MemoryPool, type MemoryLimiter } from '@guardstripe/memory-pool';
import { load } from 'koffi';

const WASM_PAGE_BYTES = 65_536;
const RECORD_BYTES = 16;
const TENANTS = 9;

const libc = load(null);
const qsort = libc.func('void qsort(uintptr_t base, size_t count, size_t bytes, uintptr_t compare)');
const dlsym = libc.func('uintptr_t dlsym(uintptr_t handle, const char *name)');
const strcmp: unknown = dlsym(0, 'strcmp');

// Settings for guests that are checked at the page: small reservation, one guard.
const pool = MemoryPool.create({
  totalMemories: 3,
  maxMemorySize: 4 * WASM_PAGE_BYTES,
  memoryReservation: 4 * WASM_PAGE_BYTES,
  memoryGuardSize: WASM_PAGE_BYTES,
});
const module = describeMemory({ initial: 1, maximum: 4 });

/** Asks somebody else, as a quota service would be asked. */
const atMostTwoPages: MemoryLimiter = {
  memoryGrowing: async (_currentBytes, desiredBytes) => {
    await sleep(1);
    return desiredBytes <= 2 * WASM_PAGE_BYTES;
  },
};

async function runTenant(
  name: string,
  words: readonly string[],
  options: { pages?: number; patience?: number } = {},
) {
  using store = pool.openStore({ limiter: atMostTwoPages });
  try {
    // An AbortSignal of a request would do as well.
    const signal = options.patience === undefined ? undefined : AbortSignal.timeout(options.patience);
    const memory = await store.allocateAsync({ module, ...(signal && { signal }) });
    if (options.pages !== undefined) await memory.growAsync(options.pages);
    const records = Buffer.from(memory.unsafeBuffer);
    for (const [at, word] of words.entries()) records.write(word, at * RECORD_BYTES);
    store.enter(() => qsort(memory.address, words.length, RECORD_BYTES, strcmp));
    const sorted = words.map((_, at) => {
      const start = at * RECORD_BYTES;
      return records.toString('latin1', start, records.indexOf(0, start));
    });
    await sleep(50); // Whatever else the tenant does with it.
    console.log(`${name.padEnd(10)} slot ${memory.slot}: ${sorted.join(' ')}`);
    return 'served';
  } catch (error) {
    const { code, name: kind, message } = error as NodeJS.ErrnoException;
    console.log(
      `${name.padEnd(10)} ${kind === 'TimeoutError' ? 'gave up waiting for a slot' : `${code}: ${message}`}`,
    );
    return kind === 'TimeoutError' ? 'gave up' : 'refused';
  }
}

const words = ['pear', 'fig', 'apple', 'quince', 'cherry'];
const outcomes = await Promise.all([
  ...Array.from({ length: TENANTS }, (_, tenant) =>
    runTenant(`tenant ${tenant}`, [...words.slice(tenant % 5), `number ${tenant}`]),
  ),
  runTenant('impatient', words, { patience: 5 }),
  runTenant('greedy', words, { pages: 3 }),
]);

const count = (outcome: string) => outcomes.filter((found) => found === outcome).length;
console.log(`${count('served')} served, ${count('gave up')} gave up, ${count('refused')} refused`);
console.log(`live memories at the end: ${pool.metrics().liveMemories}, in ${pool.layout.numSlots} slots`);
module.close();
pool.close();
process.exitCode = count('served') === TENANTS ? 0 : 1;
