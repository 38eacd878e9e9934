/**
 * The PKRU register of the calling thread. Two bits a key: bit 2k denies every access, bit 2k + 1 denies writes
 * (Intel SDM, volume 3, 4.6.2; volume 2, RDPKRU and WRPKRU).
 *
 * It is read and changed by a few bytes of machine code of our own: one FFI call for all keys, where glibc's `pkey_get` and
 * `pkey_set` take one a key each. The page is written first and made executable and read-only after; where such a page is
 * refused, glibc's functions do it.
 */
import { readFileSync } from 'node:fs';
import { Mmap } from '@guardstripe/mmap';
import { ffi } from './ffi.js';

/** Both rights bits of a key. */
export const DENY_ALL = 0b11;
/** Keys the hardware has, the default key 0 among them. */
export const NUM_HARDWARE_KEYS = 16;

/** The register, as an unsigned 32-bit number. */
export interface Pkru {
  read(): number;
  /** Writes the bits that `mask` has and returns what the whole register was; the other bits stay as they are. */
  swap(value: number, mask: number): number;
}

/** The rights bits of key `id`, at their place in the register. */
export function rightsOf(id: number): number {
  return (DENY_ALL << (2 * id)) >>> 0;
}

// System V calling convention: arguments in edi and esi, the result in eax; ecx, edx and r8 are free to use.
// RDPKRU wants ecx = 0 and clears edx; WRPKRU wants both to be 0.
const READ_CODE = [
  [0x31, 0xc9], //        xor ecx, ecx
  [0x0f, 0x01, 0xee], //  rdpkru
  [0xc3], //              ret
].flat();
const SWAP_CODE = [
  [0x31, 0xc9], //        xor ecx, ecx
  [0x0f, 0x01, 0xee], //  rdpkru
  [0x41, 0x89, 0xc0], //  mov r8d, eax     what was there
  [0x21, 0xf7], //        and edi, esi     value & mask
  [0xf7, 0xd6], //        not esi
  [0x21, 0xf0], //        and eax, esi     what was there & ~mask
  [0x09, 0xf8], //        or eax, edi
  [0x31, 0xd2], //        xor edx, edx
  [0x0f, 0x01, 0xef], //  wrpkru
  [0x44, 0x89, 0xc0], //  mov eax, r8d
  [0xc3], //              ret
].flat();
// The same convention, and rbx must be kept, which CPUID changes.
const CPUID_CODE = [
  [0x53], //              push rbx
  [0x89, 0xf8], //        mov eax, edi     leaf
  [0x31, 0xc9], //        xor ecx, ecx     subleaf 0
  [0x0f, 0xa2], //        cpuid
  [0x85, 0xff], //        test edi, edi
  [0x74, 0x02], //        jz +2            of leaf 0 eax is wanted: the highest leaf
  [0x89, 0xc8], //        mov eax, ecx
  [0x5b], //              pop rbx
  [0xc3], //              ret
].flat();
const SWAP_CODE_OFFSET = 16;
const CPUID_CODE_OFFSET = 64;
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

/** The page of our code. Kept here: nothing else refers to it, and a map that is collected is unmapped. */
const codePages: Mmap[] = [];

/** The address of a page with our code. Throws where an executable page is refused. */
function codeAddress(): number {
  const [made] = codePages;
  if (made !== undefined) return made.address;
  const page = Mmap.anonymous(CODE_PAGE_BYTES);
  try {
    // Without a view: koffi ends the process if a worker is terminated while it makes one.
    page.write(0, Uint8Array.from(READ_CODE));
    page.write(SWAP_CODE_OFFSET, Uint8Array.from(SWAP_CODE));
    page.write(CPUID_CODE_OFFSET, Uint8Array.from(CPUID_CODE));
    page.protect(0, CODE_PAGE_BYTES, 'read-execute');
  } catch (error) {
    page.close();
    throw error;
  }
  codePages.push(page);
  return page.address;
}

/** Reads and writes by our own code. Throws where an executable page is refused. */
export function machineCode(): Pkru {
  const address = codeAddress();
  const { at } = ffi();
  return { read: at(address, 0), swap: at(address + SWAP_CODE_OFFSET, 2) };
}

/** CPUID leaf 7, subleaf 0: ECX bit 4, OSPKE. The processor has keys and the kernel has switched them on (Intel SDM, volume 2, CPUID). */
const FEATURES_LEAF = 7;
const OSPKE = 1 << 4;

/** Whether the processor has keys that the kernel has switched on. */
export function processorHasKeys(): boolean {
  let cpuid: (leaf: number) => number;
  try {
    cpuid = ffi().at(codeAddress() + CPUID_CODE_OFFSET, 1);
  } catch {
    // No executable page: the kernel's word for the same bit.
    return / ospke /.test(readFileSync('/proc/cpuinfo', 'latin1'));
  }
  return cpuid(0) >= FEATURES_LEAF && (cpuid(FEATURES_LEAF) & OSPKE) !== 0;
}

/** Reads and writes by `pkey_get` and `pkey_set` (glibc 2.27), a key at a time. */
export function glibc(): Pkru {
  const c = ffi();
  const get = c.declare<(id: number) => number>('int pkey_get(int key)');
  const set = c.declare<(id: number, rights: number) => number>('int pkey_set(int key, unsigned int rights)');
  const read = () => {
    let value = 0;
    for (let id = 0; id < NUM_HARDWARE_KEYS; id++) value |= get(id) << (2 * id);
    return value >>> 0;
  };
  return {
    read,
    swap(value, mask) {
      const before = read();
      for (let id = 0; id < NUM_HARDWARE_KEYS; id++) {
        if ((mask & rightsOf(id)) !== 0) set(id, (value >>> (2 * id)) & DENY_ALL);
      }
      return before;
    },
  };
}
