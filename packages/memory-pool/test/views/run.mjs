// Run as a child: starts an operation with a memory's buffer, frees the memory, gives every slot to be had to other tenants, who stamp
// their bytes, lets the operation go on, and prints who met whose bytes.
//   node run.mjs NAME buffer|unsafeBuffer
import { pbkdf2 } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { describeMemory, MemoryPool, PoolConcurrencyLimitError } from '@guardstripe/memory-pool';
import { OPERATIONS } from './operations.mjs';

const PAGE = 65_536;
const NUM_SLOTS = 3;
const FIRST = 0xaa;
const NEXT = 0xbb;
const [name, property] = process.argv.slice(2);
const { size = 2 ** 20, prepare, start } = OPERATIONS[name];

const pool = MemoryPool.create({
  totalMemories: NUM_SLOTS,
  maxMemorySize: size,
  memoryReservation: size,
  memoryGuardSize: PAGE,
  memoryProtectionKeys: 'disable',
});
const module = describeMemory({ initial: Math.ceil(size / PAGE), contents: new Uint8Array(PAGE).fill(0x11) });
const store = pool.openStore();
const warnings = [];
process.on('warning', ({ code }) => code?.startsWith('GUARDSTRIPE') && warnings.push(code));

let goOn;
const later = new Promise((resolve) => {
  goOn = resolve;
});

/** Occupies every thread of libuv's pool for a while: jobs that are started meanwhile wait. */
function keepBusy() {
  for (let i = 0; i < 4; i++) pbkdf2('busy', 'salt', 400_000, 8, 'sha512', () => {});
}

/** In a function of its own, so that nothing of it stays on the stack. */
async function begin() {
  const prepared = await prepare?.();
  const memory = store.allocate({ module });
  memory.fill(FIRST, 0, memory.byteLength);
  const view = memory[property];
  keepBusy();
  const { done } = await start(view, later, prepared);
  const { address } = memory;
  memory.free();
  // Rejections are looked at below.
  done.catch(() => {});
  return { done, address };
}

/** Everything that can be had now, stamped. */
function settle(tenants) {
  try {
    for (;;) {
      const tenant = store.allocate({ module });
      tenant.fill(NEXT, 0, tenant.byteLength);
      tenants.push(tenant);
    }
  } catch (error) {
    if (!(error instanceof PoolConcurrencyLimitError)) throw error;
  }
}

const { done, address } = await begin();
const tenants = [];
settle(tenants);
const reusedAtOnce = tenants.some((tenant) => tenant.address === address);
goOn();
// While it runs, slots may come back: they must not come too early.
const outcome = await Promise.race([
  done.then(
    (bytes) => ({ bytes }),
    (error) => ({ failed: String(error) }),
  ),
  (async () => {
    for (;;) {
      settle(tenants);
      await setImmediate();
    }
  })(),
]);
settle(tenants);
const stamped = Buffer.alloc(size, NEXT);
const overwritten = tenants.some((tenant) => !stamped.equals(tenant.read(0, size)));
const { bytes, failed } = outcome;
const leaked = bytes !== undefined && bytes.includes(NEXT);
const wrong = bytes?.find((byte) => byte !== FIRST && byte !== 0 && byte !== NEXT);
outcome.bytes = undefined;
for (const tenant of tenants) tenant.free();

/** What became of the slot: whether all can be had again, when everything is over. */
async function allocateAll() {
  const all = [];
  for (let i = 0; i < NUM_SLOTS; i++) all.push(await store.allocateAsync({ module }));
  const seen = all.some((tenant) => tenant.read(0, size).some((byte, at) => byte !== (at < PAGE ? 0x11 : 0)));
  for (const tenant of all) tenant.free();
  return seen ? 'dirty' : 'back';
}
const { retiredMemories } = pool.metrics();
const end = await Promise.race([allocateAll(), setTimeout(retiredMemories > 0 ? 500 : 30_000, 'withheld')]);
const { collections } = pool.metrics();
console.log(
  JSON.stringify({
    reusedAtOnce,
    leaked,
    overwritten,
    wrong,
    failed,
    end,
    retiredMemories,
    collections,
    warnings,
  }),
);
pool.close({ force: true });
module.close();
process.exit(0);
