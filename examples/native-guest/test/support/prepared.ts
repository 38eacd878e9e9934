/** What the tests of one file run on. */
import { MemoryPool, type MemoryPoolConfig } from '@guardstripe/memory-pool';
import koffi from 'koffi';
import { describe, inject } from 'vitest';
import type { BuiltGuest } from '../../src/compile.ts';
import type { Prepared } from './setup.ts';

const prepared = inject('prepared');

const noGuests = prepared === undefined ? 'a tool that compiles native guests is missing' : undefined;

declare module 'vitest' {
  interface TaskMeta {
    /** Why tests are skipped; the summary says it. */
    obstacle?: string | undefined;
  }
}

/** Tests of native guests, unless they could not be compiled (`setup.ts` has said why) or there is another obstacle. */
export function describeGuests(name: string, tests: () => void, otherObstacle?: string): void {
  const obstacle = noGuests ?? otherObstacle;
  if (obstacle === undefined) describe(name, tests);
  else describe.skip(name, { meta: { obstacle } }, tests);
}

/** What was compiled; to be called in tests only. */
export function guests(): Prepared {
  if (prepared === undefined) throw new Error('No guest was compiled');
  return prepared;
}

export function realGuest(name: string): BuiltGuest {
  const guest = guests().real.find((guest) => guest.name === name);
  if (guest === undefined) throw new RangeError(`No real guest "${name}"`);
  return guest;
}

/** One stripe, whatever the machine has, and few slots. */
export function smallPool(config: MemoryPoolConfig = {}): MemoryPool {
  return MemoryPool.create({ totalMemories: 5, memoryProtectionKeys: 'disable', ...config });
}

/** The functions of `guests/plugin.c`; offsets are bytes from `base`. */
export interface Plugin {
  readonly read: (base: number, offset: number) => number;
  readonly write: (base: number, offset: number, value: number) => number;
  readonly readUnguarded: (address: number) => number;
  readonly readInHost: (address: number) => number;
  readonly blockedSignals: () => bigint;
  readonly blockSignal: (signal: number, block: number) => void;
}

export function loadPlugin(path: string): Plugin {
  const library = koffi.load(path);
  const declare = <F>(name: string, result: string, params: string[]): F =>
    library.func(`plugin_${name}`, result, params) as F;
  const blocked = declare<() => number | bigint>('blocked_signals', 'uint64_t', []);
  return {
    read: declare('read', 'int32_t', ['uintptr_t', 'int64_t']),
    write: declare('write', 'int32_t', ['uintptr_t', 'int64_t', 'uint8_t']),
    readUnguarded: declare('read_unguarded', 'int32_t', ['uintptr_t']),
    readInHost: declare('read_in_host', 'int32_t', ['uintptr_t']),
    blockSignal: declare('block_signal', 'void', ['int32_t', 'int32_t']),
    blockedSignals: () => BigInt(blocked()),
  };
}
