/**
 * The PKRU register of the calling thread. Two bits a key: bit 2k denies every access, bit 2k + 1 denies writes
 * (Intel SDM, volume 3, 4.6.2; volume 2, RDPKRU and WRPKRU).
 *
 * It is read and written by a few bytes of machine code of our own: one FFI call for all keys, where glibc's `pkey_set`
 * takes one a key. The page is written first and made executable and read-only after; where such a page is refused,
 * glibc's functions do it.
 */
import { Mmap } from '@guardstripe/mmap';
import { ffi } from './ffi.js';

/** Both rights bits of a key. */
export const DENY_ALL = 0b11;
/** Keys the hardware has, the default key 0 among them. */
export const NUM_HARDWARE_KEYS = 16;

/** The register, as an unsigned 32-bit number. */
export interface Pkru {
  read(): number;
  /** Writes the bits that `mask` has; the others stay as they are. */
  write(value: number, mask: number): void;
}

/** The rights bits of key `id`, at their place in the register. */
export function rightsOf(id: number): number {
  return (DENY_ALL << (2 * id)) >>> 0;
}

// System V calling convention: the result in eax, the argument in edi.
// xor ecx, ecx; rdpkru; ret. RDPKRU wants ecx = 0 and clears edx.
const READ_CODE = [0x31, 0xc9, 0x0f, 0x01, 0xee, 0xc3] as const;
// mov eax, edi; xor ecx, ecx; xor edx, edx; wrpkru; ret. WRPKRU wants ecx = edx = 0.
const WRITE_CODE = [0x89, 0xf8, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef, 0xc3] as const;
const WRITE_CODE_OFFSET = 16;
const CODE_PAGE_BYTES = 4096;

let current: Pkru | undefined;

/** The register. Only where keys are supported: elsewhere the instructions fault. */
export function pkru(): Pkru {
  if (current === undefined) {
    try {
      current = machineCode();
    } catch {
      current = glibc();
    }
  }
  return current;
}

/** Reads and writes by our own code. Throws where an executable page is refused. */
export function machineCode(): Pkru {
  const page = Mmap.anonymous(CODE_PAGE_BYTES);
  try {
    const bytes = new Uint8Array(page.view());
    bytes.set(READ_CODE, 0);
    bytes.set(WRITE_CODE, WRITE_CODE_OFFSET);
    page.detachView(bytes.buffer);
    page.protect(0, CODE_PAGE_BYTES, 'read-execute');
  } catch (error) {
    page.close();
    throw error;
  }
  const c = ffi();
  const read = c.at<() => number>(page.address, 'uint32_t guardstripe_rdpkru(void)');
  const write = c.at<(value: number) => void>(
    page.address + WRITE_CODE_OFFSET,
    'void guardstripe_wrpkru(uint32_t value)',
  );
  return {
    // Keeps the page: nothing else refers to it, and a collected map is unmapped.
    read: () => (page.closed ? 0 : read()),
    write(value, mask) {
      write(((read() & ~mask) | (value & mask)) >>> 0);
    },
  };
}

/** Reads and writes by `pkey_get` and `pkey_set` (glibc 2.27), a key at a time. */
export function glibc(): Pkru {
  const c = ffi();
  const get = c.declare<(id: number) => number>('int pkey_get(int key)');
  const set = c.declare<(id: number, rights: number) => number>('int pkey_set(int key, unsigned int rights)');
  return {
    read() {
      let value = 0;
      for (let id = 0; id < NUM_HARDWARE_KEYS; id++) value |= get(id) << (2 * id);
      return value >>> 0;
    },
    write(value, mask) {
      for (let id = 0; id < NUM_HARDWARE_KEYS; id++) {
        if ((mask & rightsOf(id)) !== 0) set(id, (value >>> (2 * id)) & DENY_ALL);
      }
    },
  };
}
