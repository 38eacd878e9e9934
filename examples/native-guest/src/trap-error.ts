/** A trap as an error that reads like WebAssembly's and says where it was. */
import { describeLocation, locate, type SlabLocation } from '@guardstripe/layout';
import type { MemoryPool, PooledMemory } from '@guardstripe/memory-pool';
import type { RawTrap } from './trap-bridge.ts';

/** Why a guest was stopped. */
export type TrapReason =
  | 'memory access out of bounds'
  | 'call stack exhausted'
  | 'integer overflow'
  | 'divide by zero'
  | 'invalid conversion to integer'
  | 'unreachable'
  | 'invalid indirect call'
  | 'uncaught exception'
  | 'memory not prepared'
  | 'no room for a table'
  | 'unknown trap';

/** By the numbers of `wasm_rt_trap_t` in wasm2c 1.0.32's `wasm-rt.h`. */
const RAISED: readonly (TrapReason | undefined)[] = [
  undefined,
  'memory access out of bounds',
  'integer overflow',
  'divide by zero',
  'invalid conversion to integer',
  'unreachable',
  'invalid indirect call',
  'uncaught exception',
  'call stack exhausted',
];
/** Those of `bridge/pooled-memory.h`. */
const OF_BRIDGE: Readonly<Record<number, TrapReason>> = {
  100: 'memory not prepared',
  101: 'no room for a table',
};

/** A place that the hardware refused. */
export interface Fault {
  /** The address that was touched. */
  readonly address: number;
  /** Bytes from the start of the guest's memory; negative before it. */
  readonly memoryOffset: number;
  /** Bytes from the end of the guest's memory, 0 for the first byte behind it; negative before the end. */
  readonly bytesPastEnd: number;
  /** What lies there, charged to the guest's memory where it can have come from there. */
  readonly location: SlabLocation;
  readonly access: 'read' | 'write' | undefined;
  /** The protection key that refused it. */
  readonly protectionKey: number | undefined;
  /** `si_code`: 1 nothing mapped, 2 no access, 4 a protection key. */
  readonly siCode: number;
  /** Where the guest's code was. */
  readonly pc: number;
}

/** A guest was stopped. `instanceof WebAssembly.RuntimeError`, as V8's own traps are. */
export class TrapError extends WebAssembly.RuntimeError {
  override readonly name = 'TrapError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_GUEST_TRAP';
  readonly reason: TrapReason;
  /** The slot of the guest's memory. */
  readonly slot: number;
  /** The stripe of the guest's memory. */
  readonly stripe: number;
  /** Bytes that the guest's memory had. */
  readonly memoryBytes: number;
  /** The place, if the hardware stopped the guest at one in the slab. */
  readonly fault: Fault | undefined;

  /** @internal */
  constructor(trap: Exclude<RawTrap, { kind: 'host' }>, pool: MemoryPool, memory: PooledMemory) {
    const reason = reasonOf(trap);
    const fault = trap.kind === 'fault' ? faultOf(trap, pool, memory) : undefined;
    super(`${reason}: ${fault === undefined ? inSlot(memory) : sentence(fault, memory)}`);
    this.reason = reason;
    this.slot = memory.slot;
    this.stripe = memory.stripe;
    this.memoryBytes = memory.byteLength;
    this.fault = fault;
  }
}

function reasonOf(trap: Exclude<RawTrap, { kind: 'host' }>): TrapReason {
  switch (trap.kind) {
    case 'fault':
      return 'memory access out of bounds';
    case 'stack':
      return 'call stack exhausted';
    case 'raised':
      return RAISED[trap.code] ?? OF_BRIDGE[trap.code] ?? 'unknown trap';
  }
}

function faultOf(
  { address, pc, siCode, access, protectionKey }: Extract<RawTrap, { kind: 'fault' | 'stack' }>,
  { layout, slabAddress }: MemoryPool,
  memory: PooledMemory,
): Fault {
  const memoryOffset = address - memory.address;
  const location = locate(layout, address - slabAddress, {
    stripe: memory.stripe,
    memoryBytes: (slot) => (slot === memory.slot ? memory.byteLength : undefined),
  });
  const bytesPastEnd = memoryOffset - memory.byteLength;
  return { address, memoryOffset, bytesPastEnd, location, access, protectionKey, siCode, pc };
}

function sentence({ address, access, memoryOffset, location, protectionKey }: Fault, memory: PooledMemory) {
  const verb = access === 'write' ? 'wrote to' : access === 'read' ? 'read' : 'touched';
  const before = memoryOffset < 0 ? `, ${-memoryOffset} bytes before its memory` : '';
  const key = protectionKey === undefined ? '' : `, refused by protection key ${protectionKey}`;
  return `${inSlot(memory)} ${verb} 0x${address.toString(16)}${before}${key}: ` + describeLocation(location);
}

function inSlot({ slot, stripe }: PooledMemory): string {
  return `the guest in slot ${slot} (stripe ${stripe})`;
}
