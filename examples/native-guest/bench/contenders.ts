/** Who serves: a fresh instance in the pool, or in V8, for each request. */
import { readFileSync } from 'node:fs';
import { MemoryPool } from '@guardstripe/memory-pool';
import { GuestModule } from '../src/guest-module.ts';
import type { Work } from './works.ts';

export type ContenderName = 'pool, pages dropped' | 'pool, dirty pages written back' | 'V8';

export interface Contender extends Disposable {
  readonly name: ContenderName;
  /** Instantiates, serves, tears down. */
  serve(): string | number;
}

export function contenders(work: Work): readonly Contender[] {
  return [
    pooled('pool, pages dropped', work, 0),
    pooled('pool, dirty pages written back', work, 2 ** 24),
    inV8(work),
  ];
}

function pooled(name: ContenderName, work: Work, linearMemoryKeepResident: number): Contender {
  const pool = MemoryPool.create({ totalMemories: 100, linearMemoryKeepResident });
  const module = GuestModule.load(work.guest);
  const { imports } = work;
  return {
    name,
    serve: () => {
      // A tenant of its own, as a request has it.
      const store = pool.openStore();
      const instance = module.instantiate({ pool, store, imports });
      const answer = work.serve(instance);
      instance.free();
      store.dispose();
      return answer;
    },
    [Symbol.dispose]: () => {
      module.close();
      pool.close();
    },
  };
}

/** The collector tears down; the event loop's turn at the end of each round lets it. */
function inV8(work: Work): Contender {
  const module = new WebAssembly.Module(readFileSync(work.guest.wasm));
  return {
    name: 'V8',
    serve: () => work.serve(new WebAssembly.Instance(module, work.imports)),
    [Symbol.dispose]: () => undefined,
  };
}
