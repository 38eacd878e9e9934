/** The system calls and the register without the package: what somebody else in the process would use. */
import koffi from 'koffi';
import { machineCode } from '../../src/pkru.js';

const SYS_PKEY_ALLOC = 330;
const SYS_PKEY_FREE = 331;
const syscall = koffi.load(null).func('long syscall(long number, unsigned long a, unsigned long b)') as (
  call: number,
  a: number,
  b: number,
) => number;

const register = machineCode();

/** Takes a key behind the package's back; `rights` are its two bits in PKRU. */
export function rawAllocate(rights: number): number {
  return syscall(SYS_PKEY_ALLOC, 0, rights);
}

export function rawFree(id: number): void {
  syscall(SYS_PKEY_FREE, id, 0);
}

export function rawPkru(): number {
  return register.read();
}

/** Writes the whole register. */
export function setRawPkru(value: number): void {
  register.swap(value, 0xffff_ffff);
}

/** The two bits that PKRU has for key `id`. */
export function rawRights(id: number): number {
  return (register.read() >>> (2 * id)) & 0b11;
}

/** What a jump out of a fault's handler leaves in PKRU: all keys but 0 closed. */
export const AFTER_A_FAULT = 0x5555_5554;
