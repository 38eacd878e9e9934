/** The table of modules: one number for a content, whoever comes first, and files that come and go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModuleTable, type FilePlace } from '../../src/threads/module-table.js';

const LOCK_WORD = 16;
const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
const alive = new Set([1, 2, 3]);

function threads(self: number) {
  return { self, isAlive: (thread: number) => alive.has(thread) };
}

function hash(...bytes: number[]): Uint8Array {
  return new Uint8Array(32).fill(9).map((byte, index) => bytes[index] ?? byte);
}

function file(token: number): FilePlace {
  return { pid: process.pid, entry: token % 7, token, byteLength: 4096 };
}

/** The same table in three threads. */
function tables(capacity = 16): ModuleTable[] {
  const first = ModuleTable.create(threads(1), capacity);
  return [first, ModuleTable.attach(first.buffer, threads(2)), ModuleTable.attach(first.buffer, threads(3))];
}

describe('a table of modules', () => {
  it('has one number for a content, that of whoever came first', () => {
    const [a, b, c] = tables() as [ModuleTable, ModuleTable, ModuleTable];
    expect(a.find(hash(1))).toBeUndefined();
    expect(a.put(hash(1), 10, undefined)).toEqual({ id: 10, file: undefined });
    expect(b.put(hash(1), 20, undefined)).toEqual({ id: 10, file: undefined });
    expect(c.put(hash(2), 30, file(5))).toEqual({ id: 30, file: file(5) });
    expect(b.find(hash(2))).toEqual({ id: 30, file: file(5) });
  });

  it('tells contents apart whose hashes differ in any one byte', () => {
    const [a, b] = tables(64) as [ModuleTable, ModuleTable];
    const hashes = Array.from({ length: 32 }, (_, at) => {
      const bytes = hash();
      bytes[at]! ^= 0x80;
      return bytes;
    });
    for (const [id, bytes] of hashes.entries()) a.put(bytes, id, undefined);
    expect(hashes.map((bytes) => b.find(bytes)?.id)).toEqual([...hashes.keys()]);
    expect(b.find(hash())).toBeUndefined();
  });

  it.each([0, -1, Number.NaN])(
    'is nobody’s who says that thread %d is asking: its lock would be free',
    (self) => {
      const { buffer } = ModuleTable.create(threads(1), 16);
      expect(() => ModuleTable.attach(buffer, threads(self))).toThrow(CORRUPTED);
    },
  );

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('gives nobody the number %d', (id) => {
    const [a, b] = tables() as [ModuleTable, ModuleTable];
    expect(() => a.put(hash(1), id, undefined)).toThrow(CORRUPTED);
    expect(b.find(hash(1))).toBeUndefined();
  });

  it.each([
    ['number', 1],
    ["file's entry", 2],
  ])('does not take what was written over for a %s', (_, word) => {
    const [a, b] = tables() as [ModuleTable, ModuleTable];
    a.put(hash(1), 10, file(5));
    new Int32Array(a.buffer)[32 + word] = -9;
    expect(() => b.find(hash(1))).toThrow(CORRUPTED);
    // The lock is free again.
    expect(b.put(hash(2), 20, undefined)).toEqual({ id: 20, file: undefined });
  });

  it.each([
    ['token', 2, Number.NaN],
    ['token', 2, 0],
    ['length', 3, -4096],
    ['length', 3, 0.5],
  ])("does not take what was written over for a file's %s: %d, %d", (_, double, value) => {
    const [a, b] = tables() as [ModuleTable, ModuleTable];
    a.put(hash(1), 10, file(5));
    new Float64Array(a.buffer)[16 + double] = value;
    expect(() => b.find(hash(1))).toThrow(CORRUPTED);
    expect(b.put(hash(2), 20, file(6))).toEqual({ id: 20, file: file(6) });
  });

  it('takes another file only in place of the one that was found to be gone', () => {
    const [a, b] = tables() as [ModuleTable, ModuleTable];
    a.put(hash(1), 10, file(1));
    expect(b.put(hash(1), 20, file(2)).file).toEqual(file(1));
    expect(b.put(hash(1), 20, file(2), file(3)).file).toEqual(file(1));
    expect(b.put(hash(1), 20, file(2), file(1))).toEqual({ id: 10, file: file(2) });
    expect(a.put(hash(1), 30, undefined)).toEqual({ id: 10, file: file(2) });
  });

  it('is full at some point, and makes room of what nobody uses', () => {
    const [a, b] = tables(3) as [ModuleTable, ModuleTable];
    for (const id of [0, 1, 2]) a.put(hash(id), id, file(id + 1));
    expect(() => b.put(hash(9), 9, undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_TOO_MANY_MODULES', capacity: 3 }),
    );
    b.makeRoom(({ token }) => token !== 2);
    expect([0, 1, 2].map((id) => a.find(hash(id))?.id)).toEqual([0, undefined, 2]);
    expect(b.put(hash(9), 9, undefined).id).toBe(9);
    // One without a file may go at any time.
    a.makeRoom(() => true);
    expect(a.find(hash(9))).toBeUndefined();
  });

  it('goes on where a thread ended with the lock in its hands', () => {
    const [a, b] = tables() as [ModuleTable, ModuleTable];
    a.put(hash(1), 10, file(1));
    const words = new Int32Array(a.buffer);
    words[LOCK_WORD] = 44;
    expect(b.find(hash(1))).toEqual({ id: 10, file: file(1) });
    expect(words[LOCK_WORD]).toBe(0);
  });

  it('is no other buffer', () => {
    const short = new SharedArrayBuffer(64);
    const zeros = new SharedArrayBuffer(4096);
    for (const buffer of [short, zeros])
      expect(() => ModuleTable.attach(buffer, threads(1))).toThrow(
        expect.objectContaining({ code: 'ERR_POOL_ATTACH' }),
      );
    for (const buffer of [undefined, null, new ArrayBuffer(4096), {}])
      expect(() => ModuleTable.attach(buffer, threads(1))).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
  });

  it('says what a map would, whatever three threads do in whatever order', () => {
    const action = fc.record({
      thread: fc.nat({ max: 2 }),
      content: fc.nat({ max: 11 }),
      what: fc.constantFrom('put', 'find', 'replace', 'room' as const),
      token: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const all = tables(8);
        const model = new Map<number, { id: number; token: number }>();
        for (const [id, { thread, content, what, token }] of actions.entries()) {
          const table = all[thread]!;
          const known = model.get(content);
          if (what === 'find') expect(table.find(hash(content))?.id).toBe(known?.id);
          else if (what === 'room') {
            table.makeRoom((place) => place.token !== token);
            for (const [key, each] of model) if (each.token === token) model.delete(key);
          } else if (known === undefined && model.size === 8) {
            expect(() => table.put(hash(content), id, file(token))).toThrow('can know no more');
          } else {
            if (known === undefined) model.set(content, { id, token });
            else if (what === 'replace') known.token = token;
            const gone =
              what === 'replace' && known !== undefined ? table.find(hash(content))!.file : undefined;
            const { id: expected, token: at } = model.get(content)!;
            expect(table.put(hash(content), id, file(token), gone)).toEqual({ id: expected, file: file(at) });
          }
        }
      }),
    );
  });
});
