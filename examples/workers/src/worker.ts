/** A worker thread: answers requests, each in a fresh memory. Where memories come from is the mode's choice. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeModule, MemoryPool, openModule, type PoolModule } from '@guardstripe/memory-pool';
import { handle, moduleOfTenant, NUM_TENANTS } from './tenants.ts';
import type { Answer, Request, WorkerData } from './messages.ts';

const { mode, numSlots, shared, lastTenants } = workerData as WorkerData;

/** Runs something in a fresh memory of a tenant. */
type InFreshMemory = (tenant: number, run: (buffer: ArrayBuffer) => string) => string;

/** Whose memory lay in a slot before: so is counted how often a tenant comes to a slot that is warm for it. */
const slots = mode === 'shared' ? new Int32Array(lastTenants) : new Int32Array(numSlots);
let reused = 0;

function poolMemories(pool: MemoryPool, modules: readonly PoolModule[]): InFreshMemory {
  const store = pool.openStore();
  return (tenant, run) => {
    using memory = store.allocate({ module: modules[tenant]! });
    if (Atomics.exchange(slots, memory.slot, tenant + 1) === tenant + 1) reused++;
    // Synchronous code that keeps nothing: the slot is free at once, not when the engine has collected a buffer.
    return run(memory.unsafeBuffer);
  };
}

function instances(): InFreshMemory {
  const modules = tenants((tenant) => new WebAssembly.Module(moduleOfTenant(tenant)));
  return (tenant, run) => {
    const { exports } = new WebAssembly.Instance(modules[tenant]!);
    return run((exports['memory'] as WebAssembly.Memory).buffer);
  };
}

function tenants<T>(make: (tenant: number) => T): T[] {
  return Array.from({ length: NUM_TENANTS }, (_, tenant) => make(tenant));
}

function choose(): InFreshMemory {
  if (mode === 'instances') return instances();
  if (shared !== undefined) {
    // Nothing is parsed or copied here: the pool and the modules are the main thread's.
    return poolMemories(MemoryPool.attach(shared.pool), shared.modules.map(openModule));
  }
  const pool = MemoryPool.create({ totalMemories: numSlots, maxMemorySize: 2 ** 20 });
  return poolMemories(
    pool,
    tenants((tenant) => describeModule(moduleOfTenant(tenant))),
  );
}

const inFreshMemory = choose();
parentPort!.on('message', ({ id, tenant, request, how }: Request) => {
  const text = inFreshMemory(tenant, (buffer) => {
    const answer = handle(buffer, request);
    // In the middle of a request, with a memory in hand: a bug of the host's, and one of a guest's.
    if (how === 'throw') throw new Error('on purpose');
    if (how === 'loop') for (;;) void 0;
    return answer;
  });
  const answer: Answer = { id, text, reused };
  parentPort!.postMessage(answer);
});
parentPort!.postMessage('ready');
