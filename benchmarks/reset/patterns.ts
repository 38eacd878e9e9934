/** What users of a memory do between two resets: the cases that a choice of strategy has to be good in. */
import { PAGE } from '../support/wasm-module.ts';

/** What one user does: the `i`-th one, to a memory's bytes. */
export type User = (bytes: Uint8Array, i: number) => void;

/** A memory and its users. */
export interface Pattern {
  readonly name: string;
  readonly numPages: number;
  /** Pages that are an image; the rest is zeros. */
  readonly imageFirstPage: number;
  readonly imagePages: number;
  /** Whether all users do much the same. */
  readonly isSteady: boolean;
  readonly user: (numPages: number) => User;
  /** The same for the C program, where it can: pages that move on each time. */
  readonly c?: { readonly pages: readonly number[]; readonly shift: number; readonly read: boolean };
}

const MIB_PAGES = 2 ** 20 / PAGE;
/** An odd step, so that all pages have their turn. */
const SHIFT = 97;

export function spread(count: number, numPages: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * numPages) / count));
}

const writes =
  (count: number, shift = 0) =>
  (numPages: number): User => {
    const pages = spread(count, numPages);
    return (bytes, i) => {
      for (const page of pages) bytes[((page + i * shift) % numPages) * PAGE] = i | 1;
    };
  };

const readsAll =
  (count: number, shift = 0) =>
  (numPages: number): User => {
    const write = writes(count, shift)(numPages);
    let sum = 0;
    return (bytes, i) => {
      for (let page = 0; page < numPages; page++) sum = (sum + bytes[page * PAGE]!) | 0;
      write(bytes, i);
    };
  };

const writesAll = (numPages: number): User => writes(numPages)(numPages);

/** One user of `every` is fat. */
const mixed =
  (every: number, fat: (numPages: number) => User, slim: (numPages: number) => User) =>
  (numPages: number): User => {
    const [fatUser, slimUser] = [fat(numPages), slim(numPages)];
    return (bytes, i) => (i % every === every - 1 ? fatUser(bytes, i) : slimUser(bytes, i));
  };

/** Each user writes more than the last, until all is written. */
const growing = (numPages: number): User => {
  const users = spread(8, numPages).map((_, step) => writes(((step + 1) * numPages) / 8)(numPages));
  return (bytes, i) => users[i % users.length]!(bytes, i);
};

const base = { imageFirstPage: 0, imagePages: 16, isSteady: true, numPages: MIB_PAGES } as const;
const big = { ...base, numPages: 64 * MIB_PAGES, imagePages: 64 * MIB_PAGES } as const;
const playedByC = (count: number, numPages: number, shift: number, read: boolean) => ({
  c: { pages: spread(count, numPages), shift, read },
});

export const PATTERNS: readonly Pattern[] = [
  { ...base, name: '1 MiB, nothing written', user: writes(0), ...playedByC(0, MIB_PAGES, 0, false) },
  { ...base, name: '1 MiB, the same 4 pages', user: writes(4), ...playedByC(4, MIB_PAGES, 0, false) },
  { ...base, name: '1 MiB, the same 64 pages', user: writes(64), ...playedByC(64, MIB_PAGES, 0, false) },
  { ...base, name: '1 MiB, 4 other pages', user: writes(4, SHIFT), ...playedByC(4, MIB_PAGES, SHIFT, false) },
  { ...base, name: '1 MiB, all read, 4 pages', user: readsAll(4), ...playedByC(4, MIB_PAGES, 0, true) },
  { ...base, name: '1 MiB, all written', user: writesAll, ...playedByC(MIB_PAGES, MIB_PAGES, 0, false) },
  {
    ...base,
    name: '1 MiB, all written and 4 pages in turn',
    isSteady: false,
    user: mixed(2, writesAll, writes(4)),
  },
  {
    ...base,
    name: '1 MiB, all read and 4 pages in turn',
    isSteady: false,
    user: mixed(2, readsAll(4), writes(4)),
  },
  { ...base, name: '1 MiB, one in 20 writes all', isSteady: false, user: mixed(20, writesAll, writes(4)) },
  { ...base, name: '1 MiB, more each time, then from the start', isSteady: false, user: growing },
  { ...base, name: '1 MiB, image in the middle, 4 pages', imageFirstPage: 120, user: writes(4) },
  {
    ...base,
    name: '64 KiB, 2 pages',
    numPages: 16,
    imagePages: 4,
    user: writes(2),
    ...playedByC(2, 16, 0, false),
  },
  {
    ...base,
    name: '4 MiB, 512 pages apart',
    numPages: 4 * MIB_PAGES,
    user: writes(512),
    ...playedByC(512, 4 * MIB_PAGES, 0, false),
  },
  {
    ...base,
    name: '32 MiB, 4,096 pages apart',
    numPages: 32 * MIB_PAGES,
    user: writes(4096),
    ...playedByC(4096, 32 * MIB_PAGES, 0, false),
  },
  {
    ...big,
    name: '64 MiB of image, the same 40 pages',
    user: writes(40),
    ...playedByC(40, big.numPages, 0, false),
  },
  {
    ...big,
    name: '64 MiB of image, 40 other pages',
    user: writes(40, SHIFT),
    ...playedByC(40, big.numPages, SHIFT, false),
  },
  {
    ...big,
    name: '64 MiB of image, all read, 40 other pages',
    user: readsAll(40, SHIFT),
    ...playedByC(40, big.numPages, SHIFT, true),
  },
  {
    ...big,
    name: '64 MiB of image, all read and 40 pages in turn',
    isSteady: false,
    user: mixed(2, readsAll(40), writes(40)),
  },
];
