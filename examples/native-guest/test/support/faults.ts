/** The guest of `guests/faults.wat`, natively and in V8. */
import { readFileSync } from 'node:fs';
import type { MemoryPool, Store } from '@guardstripe/memory-pool';
import { GuestInstance } from '../../src/guest-instance.ts';
import { GuestModule } from '../../src/guest-module.ts';
import { TrapError } from '../../src/trap-error.ts';
import { guests } from './prepared.ts';

export type Ask = (value: number) => number;

const echo: Ask = (value) => value;

/** The module, loaded; close it after the tests. */
export function faultsModule(): GuestModule {
  return GuestModule.load(guests().faults);
}

export function faultsInstance(
  module: GuestModule,
  pool: MemoryPool,
  { store = pool.openStore(), ask = echo }: { store?: Store; ask?: Ask } = {},
): GuestInstance {
  return module.instantiate({ pool, store, imports: { env: { ask } } });
}

export interface FaultsInV8 {
  readonly exports: Record<string, (...args: unknown[]) => unknown> & { readonly memory: WebAssembly.Memory };
}

export function faultsInV8(ask: Ask = echo): FaultsInV8 {
  const module = new WebAssembly.Module(readFileSync(guests().faults.wasm));
  return new WebAssembly.Instance(module, { env: { ask } }) as unknown as FaultsInV8;
}

/** The trap that a call ends in. */
export function trapOf(call: () => unknown): TrapError {
  try {
    call();
  } catch (error) {
    if (error instanceof TrapError) return error;
    throw error;
  }
  throw new Error('The guest did not trap');
}
