/**
 * A child process, with `--expose-gc`: `live.ts <pool|v8> <count>`. Holds so many live instances; prints what that takes,
 * as JSON.
 */
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { MemoryPool } from '@guardstripe/memory-pool';
import { faultsGuest } from '../src/guests.ts';
import { GuestModule } from '../src/guest-module.ts';

export interface Live {
  readonly residentBytes: number;
  readonly pageTableBytes: number;
  /** Of the whole process. */
  readonly virtualBytes: number;
  readonly mappings: number;
  readonly milliseconds: number;
}

const [, , kind = '', count = ''] = process.argv;
const numInstances = Number(count);
const imports = { env: { ask: Math.abs } };
const guest = await faultsGuest();

function status(field: string): number {
  return (
    Number(
      new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))?.[1],
    ) * 1024
  );
}

async function held(): Promise<Omit<Live, 'milliseconds'>> {
  for (let n = 0; n < 3; n++) {
    (globalThis as unknown as { gc: () => void }).gc();
    await setImmediate();
  }
  return {
    residentBytes: status('VmRSS'),
    pageTableBytes: status('VmPTE'),
    virtualBytes: status('VmSize'),
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
  };
}

function makerOf(kind: string): () => { readonly exports: object } {
  if (kind === 'pool') {
    const pool = MemoryPool.create({ totalMemories: numInstances });
    const module = GuestModule.load(guest);
    const store = pool.openStore();
    return () => module.instantiate({ pool, store, imports });
  }
  const module = new WebAssembly.Module(readFileSync(guest.wasm));
  return () => new WebAssembly.Instance(module, imports);
}

const make = makerOf(kind);
const instances = [make()];
const serve = ({ exports }: { exports: object }): unknown =>
  (exports as Record<string, (...args: number[]) => number>)['work']?.(16, 1);
serve(instances[0] as { exports: object });
const before = await held();
const start = performance.now();
while (instances.length <= numInstances - 1) {
  const instance = make();
  serve(instance);
  instances.push(instance);
}
const milliseconds = performance.now() - start;
const after = await held();
const difference: Record<string, number> = Object.fromEntries(
  Object.entries(after).map(([name, value]) => [name, value - before[name as keyof typeof before]]),
);
console.log(JSON.stringify({ ...difference, virtualBytes: after.virtualBytes, milliseconds }));
// All at once, without finalizers: ten thousand memories that were never freed are what this is about.
process.exit(instances.length === numInstances ? 0 : 1);
