/** The JavaScript side of `bridge/guest-trap.h`: one a thread. */
import type { MemoryPool } from '@guardstripe/memory-pool';
import koffi from 'koffi';
import { lowestOfMap } from './own-maps.ts';

/** What the bridge says of a trap. The kinds are those of `guest-trap.h`. */
export type RawTrap =
  | {
      readonly kind: 'fault' | 'stack';
      readonly address: number;
      readonly pc: number;
      /** `si_code` of the signal: 1 nothing mapped, 2 no access, 4 a protection key. */
      readonly siCode: number;
      readonly access: 'read' | 'write' | undefined;
      /** The protection key that denied the access. */
      readonly protectionKey: number | undefined;
    }
  /** The guest's own runtime; `code` is its. */
  | { readonly kind: 'raised'; readonly code: number }
  /** A host function failed, and has left its error with {@link TrapBridge.failHost}. */
  | { readonly kind: 'host'; readonly error: unknown };

const RECORD_BYTES = 48;
/** Places in the record, as `guest-trap.h` says: of 32-bit words, then of 64-bit words. */
const [KIND, CODE, ACCESS, KEY, HOST_FAILED] = [0, 1, 2, 3, 10];
const [ADDRESS, PC, TRAPS] = [2, 3, 4];
const [GST_FAULT, GST_STACK, GST_RAISED, GST_HOST] = [1, 2, 3, 4];

interface BridgeFunctions {
  readonly installed: () => number;
  readonly watch: (address: number, bytes: number) => number;
  readonly unwatch: (address: number) => void;
}

const bridges = new Map<string, TrapBridge>();

/** The bridge of the calling thread. */
export class TrapBridge {
  readonly #functions: BridgeFunctions;
  readonly #words: Int32Array;
  readonly #longs: BigUint64Array;
  readonly #watched = new Map<number, MemoryPool>();
  readonly #hostErrors: unknown[] = [];

  private constructor(path: string) {
    const library = koffi.load(path);
    const thread = library.func('gst_thread', 'uintptr_t', []) as () => number;
    this.#functions = {
      installed: library.func('gst_installed', 'int', []) as () => number,
      watch: library.func('gst_watch', 'int', ['uint64_t', 'uint64_t']) as BridgeFunctions['watch'],
      unwatch: library.func('gst_unwatch', 'void', ['uint64_t']) as BridgeFunctions['unwatch'],
    };
    const onStack = library.func('gst_on_stack', 'uint64_t', []) as () => number;
    const setStack = library.func('gst_set_stack', 'void', ['uint64_t']) as (low: number) => void;
    const record = thread();
    if (record === 0) throw new Error(`Cannot catch faults in this thread: errno ${koffi.errno()}`);
    // koffi makes all calls of a thread, nested ones too, on one stack.
    setStack(lowestOfMap(onStack()));
    const view = koffi.view(record, RECORD_BYTES);
    this.#words = new Int32Array(view);
    this.#longs = new BigUint64Array(view);
  }

  /** Loads the bridge, installs its signal handler once a process, and readies the calling thread. */
  static load(path: string): TrapBridge {
    let bridge = bridges.get(path);
    if (bridge === undefined) {
      bridge = new TrapBridge(path);
      bridges.set(path, bridge);
    }
    return bridge;
  }

  /** Whether the kernel calls this bridge first for SIGSEGV. Somebody may have installed a handler since. */
  get installed(): boolean {
    return this.#functions.installed() === 1;
  }

  /** Traps of this thread so far. */
  get traps(): number {
    return Number(this.#longs[TRAPS]);
  }

  /** Faults of this thread's guests in the pool's slab are theirs from now on. Asking again does nothing. */
  watch(pool: MemoryPool): void {
    const { slabAddress } = pool;
    if (this.#watched.get(slabAddress) === pool) return;
    for (const [address, watched] of this.#watched) {
      if (!watched.closed) continue;
      this.#functions.unwatch(address);
      this.#watched.delete(address);
    }
    if (this.#functions.watch(slabAddress, pool.layout.totalSlabBytes) !== 0) {
      throw new Error(`Cannot watch the slab at 0x${slabAddress.toString(16)}: errno ${koffi.errno()}`);
    }
    this.#watched.set(slabAddress, pool);
  }

  /** Whether the guarded call that has just returned trapped. Cheap. */
  get trapped(): boolean {
    return this.#words[KIND] !== 0;
  }

  /** The trap of the guarded call that has just returned. */
  takeTrap(): RawTrap {
    const words = this.#words;
    const kind = words[KIND];
    words[KIND] = 0;
    switch (kind) {
      case GST_FAULT:
      case GST_STACK:
        return {
          kind: kind === GST_FAULT ? 'fault' : 'stack',
          address: Number(this.#longs[ADDRESS]),
          pc: Number(this.#longs[PC]),
          siCode: words[CODE] ?? 0,
          access: words[ACCESS] === 1 ? 'write' : words[ACCESS] === 0 ? 'read' : undefined,
          protectionKey: words[KEY] === -1 ? undefined : words[KEY],
        };
      case GST_RAISED:
        return { kind: 'raised', code: words[CODE] ?? 0 };
      case GST_HOST:
        return { kind: 'host', error: this.#hostErrors.pop() };
      default:
        throw new Error(`The trap bridge's record has the unknown kind ${kind}`);
    }
  }

  /** In a function that the guest called: it is done, and the guest goes on. Without this, the guest ends when the function returns. */
  hostDone(): void {
    this.#words[HOST_FAILED] = 0;
  }

  /** Instead of {@link TrapBridge.hostDone}: why the guest is to end. */
  failHost(error: unknown): void {
    this.#hostErrors.push(error);
  }
}
