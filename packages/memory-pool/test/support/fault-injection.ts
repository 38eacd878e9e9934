/** The real page primitives with a switch that makes a chosen call fail, and a log of what was called. */
import { constants } from 'node:os';
import { platform, SystemError, type VirtualMemory } from '@guardstripe/mmap';

/** The primitives that make a system call. */
export type Primitive = Exclude<
  keyof VirtualMemory,
  | 'pageSize'
  | 'canScanDirtyPages'
  | 'canWatchWrites'
  | 'canGuardPages'
  | 'decommitsManyInOneCall'
  | 'copyBytes'
  | 'fillZeros'
  | 'sameBytes'
>;

export const PRIMITIVES = [
  'reserve',
  'mapZeros',
  'mapFile',
  'unmap',
  'protect',
  'protectWithKey',
  'decommit',
  'decommitMany',
  'scanPages',
  'scanWrittenPages',
  'watchWrites',
  'unwatchWrites',
  'protectWrittenPages',
  'guardPages',
  'unguardPages',
  'createImage',
  'closeFile',
] as const satisfies readonly Primitive[];

/** A `VirtualMemory` that fails on command. Everything that is not told to fail happens for real. */
export interface FaultyMemory {
  readonly virtualMemory: VirtualMemory;
  /** Primitives called since the last {@link FaultyMemory.clearCalls}, in order. */
  readonly calls: Primitive[];
  clearCalls(): void;
  /** Makes the next calls of `primitive` fail: `times` of them, after `skip` that succeed. */
  fail(primitive: Primitive, times?: number, skip?: number): void;
  /** Makes the call after the next `skip` calls fail, whatever it is. */
  failCall(skip: number): void;
  /** Lets everything succeed again. */
  heal(): void;
}

export function faultyMemory(): FaultyMemory {
  const real = platform();
  const calls: Primitive[] = [];
  const plans = new Map<Primitive, { skip: number; times: number }>();
  let callsUntilFailure = -1;
  const faulty = (primitive: Primitive): void => {
    calls.push(primitive);
    if (callsUntilFailure-- === 0) throw injected(primitive);
    const plan = plans.get(primitive);
    if (plan === undefined) return;
    if (plan.skip-- > 0) return;
    if (plan.times-- > 0) throw injected(primitive);
  };
  const wrapped = Object.fromEntries(
    PRIMITIVES.map((primitive) => [
      primitive,
      (...args: never[]) => {
        faulty(primitive);
        return Reflect.apply(real[primitive], real, args) as unknown;
      },
    ]),
  );
  return {
    // What is not listed above asks the system nothing, or nothing that a pool would notice: it is the real one's.
    virtualMemory: Object.assign(
      // Its own, so that a test can set it.
      Object.create(real, {
        canScanDirtyPages: { value: real.canScanDirtyPages, writable: true },
      }) as VirtualMemory,
      wrapped,
    ),
    calls,
    clearCalls: () => (calls.length = 0),
    fail: (primitive, times = 1, skip = 0) => plans.set(primitive, { times, skip }),
    failCall: (skip) => (callsUntilFailure = skip),
    heal() {
      plans.clear();
      callsUntilFailure = -1;
    },
  };
}

function injected(primitive: Primitive): SystemError {
  return new SystemError(constants.errno.ENOMEM, { syscall: primitive });
}
