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
  'scanOwnPages',
  'scanWrittenPages',
  'scanUnwrittenPages',
  'watchWrites',
  'unwatchWrites',
  'protectWrittenPages',
  'guardPages',
  'unguardPages',
  'createImage',
  'closeFile',
] as const satisfies readonly Primitive[];

/** Those that a slot meets in its life. */
export const SLOT_PRIMITIVES = [
  'mapZeros',
  'protect',
  'protectWithKey',
  'guardPages',
  'unguardPages',
  'mapFile',
  'decommit',
  'decommitMany',
  'scanPages',
  'scanOwnPages',
] as const satisfies readonly Primitive[];

/** A refusal, by the kernel's name. */
export type Errno = keyof typeof constants.errno;

/** A `VirtualMemory` that fails on command. Everything that is not told to fail happens for real. */
export interface FaultyMemory {
  readonly virtualMemory: VirtualMemory;
  /** Primitives called since the last {@link FaultyMemory.clearCalls}, in order. */
  readonly calls: Primitive[];
  /** What calls that fail are refused with. ENOMEM at first. */
  errno: Errno;
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
    if (callsUntilFailure-- === 0) throw injected(primitive, memory.errno);
    const plan = plans.get(primitive);
    if (plan === undefined) return;
    if (plan.skip-- > 0) return;
    if (plan.times-- > 0) throw injected(primitive, memory.errno);
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
  const memory: FaultyMemory = {
    errno: 'ENOMEM',
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
  return memory;
}

function injected(primitive: Primitive, errno: Errno): SystemError {
  return new SystemError(constants.errno[errno], { syscall: primitive });
}
