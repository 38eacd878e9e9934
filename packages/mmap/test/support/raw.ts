import { createRequire } from 'node:module';

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
const libc = koffi.load(null);
const fcntl = libc.func('int fcntl(int fd, int command, ...)') as (
  fd: number,
  command: number,
  type: 'int',
  value: number,
) => number;

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;

export const F_SEAL = { seal: 1, shrink: 2, grow: 4, write: 8, futureWrite: 16 } as const;

export function seals(fd: number): number {
  return fcntl(fd, F_GET_SEALS, 'int', 0);
}

/** The error number of adding a seal; 0 if it was added. */
export function addSeal(fd: number, seal: number): number {
  return fcntl(fd, F_ADD_SEALS, 'int', seal) === 0 ? 0 : koffi.errno();
}

/** The system call itself, for protections that the package has no word for; 0 if it worked. */
export const mprotect = libc.func('int mprotect(uintptr_t addr, size_t length, int prot)') as (
  address: number,
  byteLength: number,
  prot: number,
) => number;

const memfdCreate = libc.func('int memfd_create(const char *name, unsigned int flags)') as (
  name: string,
  flags: number,
) => number;

/** A memory file that may be sealed, open for reading and writing. */
export function memoryFile(name: string): number {
  return memfdCreate(name, 3);
}

const MFD_HUGETLB = 4;

/** A memory file on huge pages of the default size. */
export function hugeMemoryFile(name: string): number {
  return memfdCreate(name, MFD_HUGETLB);
}
