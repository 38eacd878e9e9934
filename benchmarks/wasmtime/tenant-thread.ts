/** A thread that plays tenants of a pool which other threads share: started by `pools.ts`. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { MemoryPool, openModule, type ModuleHandle, type SharedPoolHandle } from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import { PAGE } from '../support/wasm-module.ts';

/** What such a thread is started with. */
export interface TenantThread {
  readonly pool: SharedPoolHandle;
  readonly module: ModuleHandle;
  readonly writes: readonly number[];
  readonly memoryBytes: number;
  readonly iterations: number;
}

const { pool: handle, module: moduleHandle, writes, memoryBytes, iterations } = workerData as TenantThread;
const pool = MemoryPool.attach(handle);
const module = openModule(moduleHandle);
const views = new Map<number, Uint8Array>();

function play(tenants: number): void {
  for (let i = 0; i < tenants; i++) {
    const store = pool.openStore();
    const { slot, address } = store.allocate({ module });
    let bytes = views.get(slot);
    if (bytes === undefined) views.set(slot, (bytes = new Uint8Array(createView(address, memoryBytes))));
    for (const page of writes) bytes[page * PAGE] = i;
    store.dispose();
  }
}

play(iterations / 10);
parentPort?.postMessage('ready');
await once(parentPort!, 'message');
play(iterations);
parentPort?.postMessage('done');
await once(parentPort!, 'message');
for (const view of views.values()) detachView(view.buffer as ArrayBuffer);
module.close();
pool.close({ force: true });
parentPort?.close();
