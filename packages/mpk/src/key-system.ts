/** `pkey_alloc` and `pkey_free`, by number: musl has no wrappers (pkeys(7); arch/x86/entry/syscalls/syscall_64.tbl). */
import { SystemError } from '@guardstripe/mmap';
import { ffi } from './ffi.js';

const SYS_PKEY_ALLOC = 330;
const SYS_PKEY_FREE = 331;

/** The kernel's hold on the process's keys. */
export interface KeySystem {
  /** Takes a free key and opens it for the calling thread. Throws a `SystemError`: `ENOSPC` for none left. */
  allocate(): number;
  /** Gives a key back. Pages that carry it keep it. */
  free(id: number): void;
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
  return {
    allocate() {
      const id = allocate(SYS_PKEY_ALLOC, 0, 0);
      if (id < 0) throw new SystemError(c.errno(), { syscall: 'pkey_alloc' });
      return id;
    },
    free(id) {
      if (free(SYS_PKEY_FREE, id) !== 0)
        throw new SystemError(c.errno(), { syscall: 'pkey_free', details: { id } });
    },
  };
}
