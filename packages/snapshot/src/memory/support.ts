/**
 * Which ways work in this process. V8 promises nothing about the pages of its memories, so each way is tried once on a small
 * memory, from end to end: write, restore, grow, restore, touch what is out of bounds.
 */
import { platform, type VirtualMemory } from '@guardstripe/mmap';

import { processObstacle, type MemoryLike } from '../target/webassembly.js';
import { keeperOf } from './keeper.js';
import { METHODS, type SnapshotMethod } from './method.js';
import { SavedMemory } from './saved-memory.js';

const probed = new WeakMap<VirtualMemory, Map<SnapshotMethod, string | undefined>>();

/** The platform, or why there is none. */
let found: { readonly virtualMemory?: VirtualMemory; readonly reason?: string } | undefined;

function findPlatform(): NonNullable<typeof found> {
  try {
    found ??= { virtualMemory: platform() };
  } catch (error) {
    found = { reason: (error as Error).message };
  }
  return found;
}

/** The fastest way from `wanted` on that works, and the platform that it needs. */
export function bestMethod(
  wanted: SnapshotMethod,
  given: VirtualMemory | undefined,
): { readonly method: SnapshotMethod; readonly virtualMemory: VirtualMemory | undefined } {
  const virtualMemory = given ?? (wanted === 'copy' ? undefined : findPlatform().virtualMemory);
  if (virtualMemory === undefined) return { method: 'copy', virtualMemory };
  const methods = METHODS.slice(METHODS.indexOf(wanted));
  const method = methods.find((each) => whyNot(each, virtualMemory) === undefined) ?? 'copy';
  return { method, virtualMemory: method === 'copy' ? undefined : virtualMemory };
}

/**
 * Whether snapshots can be brought back this way here. Without an argument, in any way at all. Each way is tried once a process.
 */
export function isSupported(method: SnapshotMethod = 'copy'): boolean {
  return supportReason(method) === undefined;
}

/** Why {@link isSupported} says no; `undefined` where it says yes. */
export function supportReason(method: SnapshotMethod = 'copy'): string | undefined {
  const obstacle = processObstacle();
  if (obstacle !== undefined) return obstacle;
  if (method === 'copy') return undefined;
  const { virtualMemory, reason } = findPlatform();
  return virtualMemory === undefined ? reason : whyNot(method, virtualMemory);
}

function whyNot(method: SnapshotMethod, virtualMemory: VirtualMemory): string | undefined {
  if (method === 'copy') return undefined;
  let reasons = probed.get(virtualMemory);
  if (reasons === undefined) probed.set(virtualMemory, (reasons = new Map()));
  if (!reasons.has(method)) reasons.set(method, probe(method, virtualMemory));
  return reasons.get(method);
}

/**
 * `(module (memory (export "m") 2 4) (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))`
 */
const PROBE_MODULE = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 6, 1, 0x60, 2, 0x7f, 0x7f, 0],
  ...[3, 2, 1, 0],
  ...[5, 4, 1, 1, 2, 4],
  ...[7, 12, 2, 1, 0x6d, 2, 0, 4, 0x70, 0x6f, 0x6b, 0x65, 0, 0],
  ...[10, 11, 1, 9, 0, 0x20, 0, 0x20, 1, 0x3a, 0, 0, 0x0b],
);

function probe(method: SnapshotMethod, virtualMemory: VirtualMemory): string | undefined {
  let saved: SavedMemory | undefined;
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(PROBE_MODULE));
    const { m, poke } = instance.exports as unknown as {
      m: MemoryLike;
      poke: (address: number, value: number) => void;
    };
    poke(5000, 1);
    poke(70_000, 2);
    const keeper = keeperOf(m);
    saved = new SavedMemory(keeper.bytes, virtualMemory);
    const keeping = { method, virtualMemory };
    keeper.watch(saved, keeping);
    if (keeper.methodFor(saved) !== method) return 'the kernel, or a sandbox around this process, refuses';
    for (const grows of [false, true, false]) {
      if (grows) m.grow(1);
      for (const address of [0, 5000, 70_000, m.buffer.byteLength - 1]) poke(address, 9);
      keeper.restore(saved, keeping);
      if (keeper.methodFor(saved) !== method) return 'watching ended at a restore';
      if (!isAsSaved(new Uint8Array(m.buffer))) return 'a restored memory had other bytes';
    }
    return trapsBeyond(() => poke(m.buffer.byteLength, 1))
      ? undefined
      : 'an access out of bounds went unnoticed';
  } catch (error) {
    return (error as Error).message;
  } finally {
    saved?.close();
  }
}

function isAsSaved(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => byte === (i === 5000 ? 1 : i === 70_000 ? 2 : 0));
}

function trapsBeyond(access: () => void): boolean {
  try {
    access();
    return false;
  } catch (error) {
    return error instanceof WebAssembly.RuntimeError;
  }
}
