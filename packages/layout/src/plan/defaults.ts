/** The settings that a plan is made from, and what holds where they are not set: for the pool, too. */
import { DEFAULT_SLAB_SETTINGS } from '../constraints.js';

/** Whether protection keys are used: where they are there, always, or never. */
export type KeySetting = 'auto' | 'enable' | 'disable';

/** Whose pool it is: this project's in Node, whose V8 strews its heap over the addresses, or Wasmtime's in a process of its own. */
export type Embedding = 'node' | 'wasmtime';

/** A pool's settings, as far as they decide what fits. Byte counts are numbers. */
export interface PlanSettings {
  /** In what process the pool is. A pool itself passes this over: it is where it is. */
  readonly embedding: Embedding;
  /** Slots in the slab. */
  readonly totalMemories: number;
  /** Most bytes of one memory that may ever be accessible. */
  readonly maxMemorySize: number;
  /** Bytes that compiled code takes to be reserved for a memory. */
  readonly memoryReservation: number;
  /** Bytes behind the reservation that must fault. */
  readonly memoryGuardSize: number;
  /** Whether the same guard stands before the first slot. */
  readonly guardBeforeLinearMemory: boolean;
  /** Bytes that each freed memory may keep in RAM. */
  readonly linearMemoryKeepResident: number;
  /** Bytes that all freed memories together may keep in RAM. Wasmtime has no such bound. */
  readonly maxUnusedBytesResident: number;
  /** Freed slots that are kept for their modules. */
  readonly maxUnusedWarmSlots: number;
  /** Whether neighbouring slots carry different keys. */
  readonly memoryProtectionKeys: KeySetting;
  /** Most protection keys to take. */
  readonly maxMemoryProtectionKeys: number;
  /** Whether slots are closed by guard markers inside of one mapping: where mappings are short, always, or never. */
  readonly guardPages: KeySetting;
}

/** What holds where nothing is set, for planner and pool: the slab of Wasmtime on 64-bit machines, keys where they are there. */
export const DEFAULT_PLAN_SETTINGS: PlanSettings = Object.freeze({
  embedding: 'node',
  ...DEFAULT_SLAB_SETTINGS,
  linearMemoryKeepResident: 4 * 2 ** 20,
  maxUnusedBytesResident: 128 * 2 ** 20,
  maxUnusedWarmSlots: 100,
  memoryProtectionKeys: 'auto',
  maxMemoryProtectionKeys: 16,
  guardPages: 'auto',
});

/** What holds in Wasmtime where nothing is set: the same slab, without keys; free slots keep nothing, or whatever they are told. */
export const WASMTIME_PLAN_SETTINGS: PlanSettings = Object.freeze({
  ...DEFAULT_PLAN_SETTINGS,
  embedding: 'wasmtime',
  linearMemoryKeepResident: 0,
  maxUnusedBytesResident: Number.MAX_SAFE_INTEGER,
  memoryProtectionKeys: 'disable',
  guardPages: 'disable',
});
