/**
 * Every public operation, with every call that it makes of the system refused in turn. What calls those are is seen by running
 * it once. After each refusal the object is as it was: its pages, what they allow, its length, its descriptors.
 */

import { readdirSync, statSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import {
  memoryImage,
  Mmap,
  PageScanner,
  platform,
  SystemError,
  type MemoryImage,
  type VirtualMemory,
} from '../src/index.js';
import { FaultyMemory } from './support/faulty.js';
import { temporaryFiles } from './support/files.js';
import { isMapped } from './support/process-maps.js';

const { pageSize } = platform();
const write = temporaryFiles();
const PAGES = 4 * pageSize;
const bytes = Uint8Array.from({ length: PAGES }, (_, i) => (i % 251) + 1);
const path = write('file', bytes);
const numDescriptors = () => readdirSync('/proc/self/fd').length;

type Maker = (virtualMemory: VirtualMemory) => Mmap;

/** Maps of every kind, with the same bytes in them. */
const KINDS = {
  anonymous(virtualMemory) {
    const map = Mmap.anonymous(PAGES, { virtualMemory });
    map.write(0, bytes);
    return map;
  },
  file: (virtualMemory) =>
    Mmap.fromFile(write('written', bytes), { access: 'read-write', resizable: true, virtualMemory }),
  shared(virtualMemory) {
    const map = Mmap.shared(PAGES, { virtualMemory });
    map.write(0, bytes);
    return map;
  },
} satisfies Record<string, Maker>;

const image: MemoryImage = memoryImage(new Uint8Array(pageSize).fill(9));

beforeAll(() => {
  // Opens the descriptors that stay for as long as the thread lives.
  using map = Mmap.anonymous(PAGES);
  map.resident();
  void platform().canScanDirtyPages;
  void platform().decommitsManyInOneCall;
});

/** Refusals that nobody need hear of: hints, and the first of two ways to lay zeros. */
const SILENT = ['advise', 'mapZeros'];

/** What can be done with a map. Its asynchronous twins make the same calls on other threads. */
const OPERATIONS: Record<string, (map: Mmap) => unknown> = {
  makeAccessible: (map) => map.makeAccessible(0, pageSize),
  makeInaccessible: (map) => map.makeInaccessible(0, pageSize),
  protect: (map) => map.protect(pageSize, pageSize, 'read'),
  protectWithKey: (map) => map.protectWithKey(0, pageSize, 'read', 0),
  protectWhile: (map) => map.protectWhile(0, 2 * pageSize, 'none'),
  decommit: (map) => map.decommit(0, pageSize),
  decommitMany: (map) => map.decommitMany([{ offset: 0, byteLength: pageSize }]),
  mapImageAt: (map) => map.mapImageAt(image, pageSize),
  remapAsZerosAt: (map) => map.remapAsZerosAt(0, pageSize),
  sync: (map) => map.sync(),
  syncAsync: (map) => map.syncAsync(),
  advise: (map) => map.advise('willneed'),
  adviseAsync: (map) => map.adviseAsync('willneed'),
  lock: (map) => map.lock(),
  unlock: (map) => map.unlock(),
  resident: (map) => map.resident(),
  residentPages: (map) => map.residentPages(),
  residentRanges: (map) => map.residentRanges(),
  pageAccess: (map) => map.pageAccess(),
  read: (map) => map.read(0, PAGES),
  readInto: (map) => map.readInto(new Uint8Array(8), pageSize),
  write: (map) => map.write(0, Uint8Array.of(99)),
  name: (map) => map.name('x'),
  'resize, longer': (map) => map.resize(6 * pageSize),
  'resize, shorter': (map) => map.resize(pageSize),
  'resize, growFile': (map) => map.resize(6 * pageSize, { growFile: true }),
  'resize, shrinkFile': (map) => map.resize(pageSize + 1, { shrinkFile: true }),
  'resize, shrinkFile within the last page': (map) => map.resize(PAGES - 1, { shrinkFile: true }),
  'resize, with views': (map) => {
    map.view();
    map.resize(6 * pageSize, { growFile: map.pageAccess().length === 0 });
  },
  close: (map) => map.close(),
  'close, with views': (map) => {
    map.view();
    map.close();
  },
  'PageScanner.dirtyRanges': (map) => new PageScanner(map).dirtyRanges(),
};

/** What making a map asks of the system. */
const MAKERS: Record<string, Maker> = {
  reserve: (virtualMemory) => Mmap.reserve(PAGES, { virtualMemory }),
  anonymous: (virtualMemory) => Mmap.anonymous(PAGES, { virtualMemory }),
  accessibleReserved: (virtualMemory) => Mmap.accessibleReserved(pageSize, PAGES, { virtualMemory }),
  'fromFile, plain': (virtualMemory) => Mmap.fromFile(path, { offset: 3, virtualMemory }),
  // Of a file that is not ours to write, when others run the tests: the system is asked.
  'fromFile, resizable': (virtualMemory) =>
    Mmap.fromFile('/proc/self/exe', { resizable: true, virtualMemory }),
  'fromFile, populated': (virtualMemory) => Mmap.fromFile(path, { populate: true, virtualMemory }),
  'fromFile, grown': (virtualMemory) => {
    const grown = { access: 'read-write', growFile: true, byteLength: 2 * PAGES } as const;
    return Mmap.fromFile(write('grown', bytes), { ...grown, virtualMemory });
  },
  shared: (virtualMemory) => Mmap.shared(PAGES, { virtualMemory }),
};

/** Runs something until it is through, refusing one call after the other; tells of each refusal. */
async function eachRefusal(
  attempt: (
    faulty: FaultyMemory,
    nth: number,
  ) => Promise<{ readonly error: unknown; readonly calls: number }>,
  silent: readonly string[] = SILENT,
): Promise<string[]> {
  const refused: string[] = [];
  for (let nth = 1; ; nth++) {
    const faulty = new FaultyMemory();
    const { error, calls } = await attempt(faulty, nth);
    if (calls < nth) return refused;
    const call = faulty.calls[nth - 1]!;
    if (error === undefined) expect(silent).toContain(call);
    else expect(error).toBeInstanceOf(SystemError);
    refused.push(call);
  }
}

async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A map's own state, by the real system. */
function stateOf(map: Mmap): unknown {
  const { byteLength, closed } = map;
  const content = Buffer.from(map.read(0, Math.min(byteLength, PAGES))).equals(bytes);
  return { byteLength, closed, content, access: map.pageAccess(), numDescriptors: numDescriptors() };
}

/** After a refusal. What the file refused of itself may have met a second refusal on the way back: no byte less can be read then. */
function checkState(map: Mmap, before: unknown, { syscall }: SystemError): void {
  // The number is free even when close(2) reports an error.
  if (syscall === 'injected-closeFile') expect(map.closed).toBe(true);
  else if (syscall.startsWith('injected')) expect(stateOf(map)).toEqual(before);
  else expect(map.read(0, PAGES)).toHaveLength(map.byteLength);
}

describe.each(Object.entries<Maker>(KINDS))('a map of the kind: %s', (kind, make) => {
  it.each(Object.entries(OPERATIONS))('is as it was after every refusal: %s', async (name, operation) => {
    const refused = await eachRefusal(
      async (faulty, nth) => {
        const map = make(faulty.virtualMemory);
        const before = stateOf(map);
        faulty.failAt(nth);
        const error = await errorOf(() => operation(map));
        const calls = faulty.calls.length;
        faulty.heal();
        if (error !== undefined && calls >= nth) checkState(map, before, error as SystemError);
        map.close();
        return { error, calls };
        // The file is cut by then: pages that stay behind its end are shown no more.
      },
      [...SILENT, ...(name === 'resize, shrinkFile' ? ['resize'] : [])],
    );
    // What a kind of map refuses by itself asks nothing of the system.
    const asksNothing = kind !== 'anonymous' || /File|PageScanner/.test(name);
    expect(asksNothing || refused.length > 0).toBe(true);
  });
});

it.each(Object.entries(MAKERS))(
  '%s: nothing is mapped and nothing open after any refusal',
  async (_, make) => {
    const refused = await eachRefusal(async (faulty, nth) => {
      const addresses: number[] = [];
      const { virtualMemory } = faulty;
      const noting = new Proxy(virtualMemory, {
        get(target, name: keyof VirtualMemory) {
          const value = target[name];
          if (name !== 'reserve' && name !== 'mapFile') return value;
          return (...args: never[]) => {
            const address = Reflect.apply(value as (...all: never[]) => number, target, args);
            addresses.push(address);
            return address;
          };
        },
      });
      const before = numDescriptors();
      faulty.failAt(nth);
      let map: Mmap | undefined;
      const error = await errorOf(() => {
        map = make(noting);
      });
      const calls = faulty.calls.length;
      faulty.heal();
      if (map === undefined) expect(addresses.filter(isMapped)).toEqual([]);
      map?.close();
      expect(numDescriptors()).toBe(before);
      return { error, calls };
    });
    expect(refused).not.toEqual([]);
    expect(statSync(path).size).toBe(PAGES);
  },
);
