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
