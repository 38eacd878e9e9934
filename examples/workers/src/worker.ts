/** A worker thread: answers requests, each in a fresh memory. Where memories come from is the mode's choice. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeModule, MemoryPool, openModule, type PoolModule } from '@guardstripe/memory-pool';
import { handle } from './tenants.ts';
import type { Answer, Request, WorkerData } from './messages.ts';

/** Runs something in a fresh memory of a tenant. */
type InFreshMemory = (tenant: number, run: (buffer: ArrayBuffer) => string) => string;

let reused = 0;

/** @param lastTenants - by slot, whose memory lay there: so is counted how often a tenant comes to a slot that is warm for it */
function poolMemories(
  pool: MemoryPool,
  modules: readonly PoolModule[],
  lastTenants: Int32Array,
): InFreshMemory {
  const store = pool.openStore();
  return (tenant, run) => {
    using memory = store.allocate({ module: modules[tenant]! });
    if (Atomics.exchange(lastTenants, memory.slot, tenant + 1) === tenant + 1) reused++;
    // Synchronous code that keeps nothing: the slot is free at once, not when the engine has collected a buffer.
    return run(memory.unsafeBuffer);
  };
}

function instances(modules: readonly WebAssembly.Module[]): InFreshMemory {
  return (tenant, run) => {
    const { exports } = new WebAssembly.Instance(modules[tenant]!);
    return run((exports['memory'] as WebAssembly.Memory).buffer);
  };
}

function choose(data: WorkerData): InFreshMemory {
  switch (data.mode) {
    case 'instances':
      return instances(data.modules);
    case 'shared': {
      // Nothing is parsed or copied here: the pool and the modules are the main thread's.
      const { pool, modules, lastTenants } = data;
      return poolMemories(MemoryPool.attach(pool), modules.map(openModule), new Int32Array(lastTenants));
    }
    case 'pool-each': {
      const { numSlots, modules } = data;
      const pool = MemoryPool.create({ totalMemories: numSlots, maxMemorySize: 2 ** 20 });
      const described = modules.map((bytes) => describeModule(bytes));
      return poolMemories(pool, described, new Int32Array(numSlots));
    }
  }
}

const inFreshMemory = choose(workerData as WorkerData);
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
