/**
 * Copies between a buffer and mapped memory by the kernel (`process_vm_readv(2)`, on ourselves), which answers `EFAULT` where a
 * processor would raise a signal: for pages without access, and for those that a file lost.
 */

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import type { AccessRun, VirtualMemory } from '../virtual-memory.js';
import { accessOf } from './access.js';
import { lazily } from './lazily.js';

const EPERM = 1;
const EFAULT = 14;
const ENOSYS = 38;
const WORD = 2 ** 32;

type Copy = (
  pid: number,
  local: Uint32Array,
  numLocal: number,
  remote: Uint32Array,
  numRemote: number,
  flags: number,
) => number;

const PARAMETERS =
  '(int pid, const void *local, size_t nl, const void *remote, size_t nr, unsigned long flags)';

/** The primitives of this file. */
export function copyPrimitives(): Pick<VirtualMemory, 'readBytes' | 'writeBytes'> {
  const readv = lazily<Copy>(`intptr_t process_vm_readv${PARAMETERS}`);
  const writev = lazily<Copy>(`intptr_t process_vm_writev${PARAMETERS}`);
  const memcpy = lazily<(to: number, from: number, byteLength: number) => void>(
    'void memcpy(uintptr_t to, uintptr_t from, size_t length)',
  );
  const copy = (call: Copy, syscall: string, address: number, bytes: Uint8Array): 'done' | 'unavailable' => {
    const ours = ffi().addressOf(bytes);
    // One call moves at most 0x7ffff000 bytes.
    for (let done = 0; done < bytes.byteLength;) {
      const rest = bytes.byteLength - done;
      const moved = call(process.pid, vector(ours + done, rest), 1, vector(address + done, rest), 1, 0);
      if (moved <= 0) {
        const errno = moved === 0 ? EFAULT : ffi().errno();
        // Sandboxes filter the call; the kernel itself never refuses a process to itself.
        if (done === 0 && (errno === ENOSYS || errno === EPERM)) return 'unavailable';
        throw new SystemError(errno, { syscall, address: address + done, byteLength: rest });
      }
      done += moved;
    }
    return 'done';
  };
  return {
    readBytes(address, into) {
      if (copy(readv(), 'process_vm_readv', address, into) === 'done') return;
      checkRuns(address, into.byteLength, ({ access }) => access !== 'none');
      memcpy()(ffi().addressOf(into), address, into.byteLength);
    },
    writeBytes(address, bytes) {
      if (copy(writev(), 'process_vm_writev', address, bytes) === 'done') return;
      checkRuns(address, bytes.byteLength, ({ access }) => access === 'read-write' || access === 'other');
      memcpy()(address, ffi().addressOf(bytes), bytes.byteLength);
    },
  };
}

/** `struct iovec`: where, how much. */
function vector(address: number, byteLength: number): Uint32Array {
  return Uint32Array.of(address % WORD, address / WORD, byteLength % WORD, byteLength / WORD);
}

function checkRuns(address: number, byteLength: number, allows: (run: AccessRun) => boolean): void {
  const refused = accessOf(address, byteLength).find((run) => !allows(run));
  if (refused !== undefined) throw new SystemError(EFAULT, { syscall: 'memcpy', ...refused });
}
