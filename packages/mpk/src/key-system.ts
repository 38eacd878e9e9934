/** `pkey_alloc` and `pkey_free`, by number: musl has no wrappers (pkeys(7); arch/x86/entry/syscalls/syscall_64.tbl). */
import { SystemError } from '@guardstripe/mmap';
import { ffi } from './ffi.js';
import { pkru, processorHasKeys } from './pkru.js';

const SYS_PKEY_ALLOC = 330;
const SYS_PKEY_FREE = 331;
/** No flag is defined: a kernel that has the call refuses it (EINVAL) before it does anything. */
const UNKNOWN_FLAG = 1;

/** What every key's rights are in a fresh process: no access (bit 2k), as the kernel leaves them. */
const CLOSED = 0x5555_5555;

/** The kernel's hold on the process's keys. */
export interface KeySystem {
  /** Why there are no keys; `undefined` where there are. Takes none, and changes no right. */
  obstacle(): string | undefined;
  /** Takes a free key and opens it for the calling thread. Throws a `SystemError`: `ENOSPC` for none left. */
  allocate(): number;
  /** Gives a key back. Pages that carry it keep it. */
  free(id: number): void;
  /** Closes keys for the calling thread, by their rights bits. */
  close(bits: number): void;
  /** Opens keys that another thread has taken for the calling one, by their rights bits. */
  open(bits: number): void;
}

let current: KeySystem | undefined;

/** The running kernel. */
export function keySystem(): KeySystem {
  current ??= linux();
  return current;
}

function linux(): KeySystem {
  const c = ffi();
  const allocate = c.declare<(call: number, flags: number, rights: number) => number>(
    'long syscall(long number, unsigned long flags, unsigned long rights)',
  );
  const free = c.declare<(call: number, id: number) => number>('long syscall(long number, long key)');
  const refusal = (syscall: string, details = {}) => new SystemError(c.errno(), { syscall, details });
  return {
    obstacle() {
      if (!processorHasKeys()) return 'the processor has none, or the kernel has them off';
      allocate(SYS_PKEY_ALLOC, UNKNOWN_FLAG, 0);
      const { code } = refusal('pkey_alloc');
      return code === 'EINVAL' ? undefined : `the kernel gives none (${code})`;
    },
    allocate() {
      // Nothing but this may stand between the call and what notes it: see the registry.
      const id = allocate(SYS_PKEY_ALLOC, 0, 0);
      if (id < 0) throw refusal('pkey_alloc');
      return id;
    },
    free(id) {
      if (free(SYS_PKEY_FREE, id) !== 0) throw refusal('pkey_free', { id });
    },
    close: (bits) => void pkru().swap(CLOSED, bits),
    open: (bits) => void pkru().swap(0, bits),
  };
}
