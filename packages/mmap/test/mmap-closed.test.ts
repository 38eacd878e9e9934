import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, MmapClosedError, platform } from '../src/index.js';

const { pageSize } = platform();

/** What may still be asked of a closed map. */
const ALLOWED = new Set<string | symbol>([
  'address',
  'byteLength',
  'close',
  'closed',
  'closeAsync',
  'constructor',
  Symbol.dispose,
  Symbol.asyncDispose,
  Symbol.for('nodejs.util.inspect.custom'),
]);

/** One call of everything else. A new method has to be added here: the first test compares the names. */
const CALLS: Record<string, (map: Mmap) => unknown> = {
  makeAccessible: (map) => map.makeAccessible(0, pageSize),
  makeInaccessible: (map) => map.makeInaccessible(0, pageSize),
  protect: (map) => map.protect(0, pageSize, 'read'),
  protectWithKey: (map) => map.protectWithKey(0, pageSize, 'read', 0),
  decommit: (map) => map.decommit(0, pageSize),
  mapImageAt: (map) => map.mapImageAt(memoryImage(new Uint8Array(1)), 0),
  remapAsZerosAt: (map) => map.remapAsZerosAt(0, pageSize),
  protectWhile: (map) => map.protectWhile(0, pageSize, 'read'),
  decommitMany: (map) => map.decommitMany([]),
  sync: (map) => map.sync(),
  syncAsync: (map) => map.syncAsync(),
  advise: (map) => map.advise(0, pageSize, 'normal'),
  adviseAsync: (map) => map.adviseAsync(0, pageSize, 'willneed'),
  lock: (map) => map.lock(0, pageSize),
  unlock: (map) => map.unlock(0, pageSize),
  resident: (map) => map.resident(),
  residentRanges: (map) => map.residentRanges(),
  residentPages: (map) => map.residentPages(),
  resize: (map) => map.resize(pageSize),
  read: (map) => map.read(0, 1),
  readInto: (map) => map.readInto(new Uint8Array(1)),
  write: (map) => map.write(0, new Uint8Array(1)),
  pageAccess: (map) => map.pageAccess(),
  share: (map) => map.share(),
  hold: (map) => map.hold(),
  name: (map) => map.name('x'),
  view: (map) => map.view(),
  detachView: (map) => map.detachView(new ArrayBuffer(1)),
};

describe('a closed map', () => {
  it('has a test for every member', () => {
    const classes: object[] = [Mmap.prototype, Object.getPrototypeOf(Mmap.prototype) as object];
    const members = classes.flatMap((each) => Reflect.ownKeys(each)).filter((name) => !ALLOWED.has(name));
    expect(new Set(members)).toEqual(new Set(Object.keys(CALLS)));
  });

  it.each(Object.keys(CALLS))('refuses %s', async (name) => {
    const map = Mmap.anonymous(3 * pageSize);
    map.close();
    const call = CALLS[name] as (map: Mmap) => unknown;
    // Asynchronous ones reject, and never throw at once.
    const outcome = name.endsWith('Async') ? call(map) : new Promise((resolve) => resolve(call(map)));
    const error = await (outcome as Promise<unknown>).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(MmapClosedError);
    expect(error).toMatchObject({ name: 'MmapClosedError', code: 'ERR_MMAP_CLOSED' });
  });

  it('refuses empty ranges as well', () => {
    const map = Mmap.anonymous(3 * pageSize);
    map.close();
    expect(() => map.decommit(0, 0)).toThrow(MmapClosedError);
    expect(() => map.view(0, 0)).toThrow(MmapClosedError);
  });

  it('closes again without unmapping what is there now', () => {
    const map = Mmap.anonymous(3 * pageSize);
    map.close();
    // The kernel likes to give the same place again.
    using next = Mmap.anonymous(3 * pageSize);
    const bytes = new Uint8Array(next.view()).fill(3);
    map.close();
    map[Symbol.dispose]();
    expect(bytes.every((byte) => byte === 3)).toBe(true);
    expect(map.closed).toBe(true);
    expect(map.byteLength).toBe(3 * pageSize);
  });
});
