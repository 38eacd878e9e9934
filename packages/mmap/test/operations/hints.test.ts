import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { describe, expect, it } from 'vitest';

import { ADVICES } from '../../src/operations/advice.js';
import { memoryImage, Mmap, platform, SystemError, type Advice } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { temporaryFiles } from '../support/files.js';
import { mappingDetails } from '../support/process-maps.js';

const { pageSize } = platform();
const write = temporaryFiles();
const content = Uint8Array.from({ length: 3 * pageSize + 123 }, (_, i) => i % 251);

/** What the real system is asked for: names and arguments of the calls. */
function recorded(): { virtualMemory: typeof system; calls: [string, ...unknown[]][] } {
  const system = platform();
  const calls: [string, ...unknown[]][] = [];
  const virtualMemory = new Proxy(system, {
    get(target, name: keyof typeof system) {
      const value = target[name];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        calls.push([name, ...args]);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return { virtualMemory, calls };
}

describe('sync', () => {
  it('takes any bytes and writes back the pages that hold them', async () => {
    const path = write('synced', content);
    const { virtualMemory, calls } = recorded();
    using map = Mmap.fromFile(path, { access: 'read-write', offset: 100, virtualMemory });
    new Uint8Array(map.view()).fill(7);
    calls.length = 0;
    map.sync();
    map.sync(0, 1);
    map.sync(pageSize - 101, 2);
    await map.syncAsync(map.byteLength - 1);
    const start = map.address - 100;
    expect(calls).toEqual([
      ['sync', start, 4 * pageSize],
      ['sync', start, pageSize],
      ['sync', start, 2 * pageSize],
      ['syncAsync', start + 3 * pageSize, pageSize],
    ]);
    expect(
      readFileSync(path)
        .subarray(100)
        .every((byte) => byte === 7),
    ).toBe(true);
  });

  it('does nothing for no bytes, and refuses bytes outside', async () => {
    const { virtualMemory, calls } = recorded();
    using map = Mmap.anonymous(3 * pageSize, { virtualMemory });
    calls.length = 0;
    map.sync(map.byteLength);
    map.sync(5, 0);
    await map.syncAsync(5, 0);
    for (const [offset, byteLength] of [
      [0, 3 * pageSize + 1],
      [3 * pageSize + 1, undefined],
      [-1, 1],
      [0.5, 1],
      [Number.NaN, undefined],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ] as const) {
      expect(() => map.sync(offset, byteLength)).toThrow(RangeError);
      await expect(map.syncAsync(offset, byteLength)).rejects.toThrow(RangeError);
      expect(() => map.resident(offset, byteLength)).toThrow(RangeError);
      expect(() => map.residentPages(offset, byteLength)).toThrow(RangeError);
    }
    expect(calls).toEqual([]);
  });

  it('the thread of an asynchronous call has its own errno, and we hear of it', async () => {
    using map = Mmap.anonymous(3 * pageSize);
    const gone = Mmap.reserve(3 * pageSize);
    const { address } = gone;
    gone.close();
    await expect(platform().syncAsync(address, pageSize)).rejects.toMatchObject({
      code: 'ENOMEM',
      errno: -12,
      syscall: 'msync',
      address,
      byteLength: pageSize,
    });
    map.protect(0, pageSize, 'read');
    await expect(map.adviseAsync(0, pageSize, 'populate-write')).rejects.toMatchObject({
      syscall: 'madvise',
      message: expect.stringMatching(/^(EFAULT|EINVAL): .*advice populate-write/) as string,
    });
  });
});

describe('advise', () => {
  /** Refusals that depend on how the kernel was built, or on its age. */
  const OPTIONAL = new Set<Advice>([
    'populate-read',
    'populate-write',
    'cold',
    'pageout',
    'hugepage',
    'nohugepage',
    'collapse',
    'mergeable',
    'unmergeable',
  ]);

  it.each(ADVICES.filter((advice) => advice !== 'free'))('%s keeps every byte', async (advice) => {
    using map = Mmap.anonymous(5 * pageSize);
    const bytes = new Uint8Array(map.view()).fill(3);
    for (const call of [
      async () => map.advise(pageSize, 3 * pageSize, advice),
      () => map.adviseAsync(pageSize, 3 * pageSize, advice),
    ]) {
      await call().catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'SystemError', syscall: 'madvise' });
        if (!OPTIONAL.has(advice)) throw error;
      });
    }
    map.makeAccessible(0, map.byteLength);
    expect(bytes.every((byte) => byte === 3)).toBe(true);
  });

  it('free: bytes are as before or zeros, writing brings a page back for good', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = new Uint8Array(map.view()).fill(3);
    map.advise(pageSize, pageSize, 'free');
    bytes[pageSize] = 9;
    expect([0, 3]).toContain(bytes[pageSize + 1]);
    expect(bytes[pageSize]).toBe(9);
    expect([bytes[pageSize - 1], bytes[2 * pageSize]]).toEqual([3, 3]);
  });

  it.each<[Advice, Advice, string]>([
    ['sequential', 'normal', 'sr'],
    ['random', 'normal', 'rr'],
    ['dontfork', 'dofork', 'dc'],
    ['wipeonfork', 'keeponfork', 'wf'],
    ['dontdump', 'dodump', 'dd'],
  ])('%s reaches the kernel for exactly the range, and %s undoes it', (advice, undo, flag) => {
    using map = Mmap.anonymous(3 * pageSize);
    const flags = () =>
      [0, 1, 2].map((page) => mappingDetails(map.address + page * pageSize)?.flags.includes(flag));
    map.advise(pageSize, pageSize, advice);
    expect(flags()).toEqual([false, true, false]);
    map.advise(0, map.byteLength, undo);
    expect(flags()).toEqual([false, false, false]);
  });

  it('takes any bytes: the hint is of the pages that hold them', async () => {
    using map = Mmap.anonymous(6 * pageSize);
    const populated = () => [...map.residentPages()];
    map.advise(2 * pageSize - 1, 2, 'populate-write');
    expect(populated()).toEqual([0, 1, 1, 0, 0, 0]);
    await map.adviseAsync(4 * pageSize + 1, 1, 'populate-write');
    expect(populated()).toEqual([0, 1, 1, 0, 1, 0]);
    map.advise(pageSize / 2, 0, 'populate-write');
    expect(populated()).toEqual([0, 1, 1, 0, 1, 0]);
    expect(() => map.advise(1, pageSize, 'free')).toThrow(/page boundary/);
    await expect(map.adviseAsync(0, 1, 'free')).rejects.toThrow(/page boundary/);
    expect(() => map.advise(0, 6 * pageSize + 1, 'cold')).toThrow(RangeError);
  });

  it('populates now what would be faulted in later', async () => {
    using map = Mmap.anonymous(64 * pageSize);
    map.advise(pageSize, 2 * pageSize, 'populate-write');
    expect([...map.residentPages(0, 4 * pageSize)]).toEqual([0, 1, 1, 0]);
    await map.adviseAsync(32 * pageSize, 32 * pageSize, 'populate-read');
    expect(map.resident(32 * pageSize)).toBe(32 * pageSize);
  });

  it('refuses hints it does not know, and says where dontneed is', () => {
    using map = Mmap.anonymous(3 * pageSize);
    for (const advice of ['', 'DONTNEED', 4, undefined, 'toString', 'remove']) {
      expect(() => map.advise(0, pageSize, advice as Advice)).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }) as Error,
      );
    }
    expect(() => map.advise(0, 0, 'dontneed' as Advice)).toThrow(/decommit\(\)/);
  });

  it('what the kernel refuses is a typed error that names the hint', () => {
    using map = Mmap.anonymous(3 * pageSize);
    using image = memoryImage(new Uint8Array(pageSize));
    map.mapImageAt(image, 0);
    expect(() => map.advise(0, pageSize, 'free')).toThrow(/^EINVAL: .*madvise \(address .* advice free\)/);
  });
});

describe('lock', () => {
  it('brings pages in and keeps them, until unlocked', () => {
    using map = Mmap.anonymous(4 * pageSize);
    map.lock(pageSize, 2 * pageSize);
    expect([...map.residentPages()]).toEqual([0, 1, 1, 0]);
    expect(() => map.decommit(pageSize, pageSize)).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'madvise' }) as Error,
    );
    map.unlock(pageSize, 2 * pageSize);
    map.decommit(pageSize, 2 * pageSize);
    expect(map.resident()).toBe(0);
  });

  it('takes any bytes, and locks and unlocks the pages that hold them', () => {
    using map = Mmap.anonymous(6 * pageSize);
    const locked = () =>
      [0, 1, 2, 3, 4, 5].map((page) =>
        Number(mappingDetails(map.address + page * pageSize)?.flags.includes('lo')),
      );
    map.lock(2 * pageSize - 1, 2);
    expect(locked()).toEqual([0, 1, 1, 0, 0, 0]);
    map.lock(5 * pageSize + 7);
    expect(locked()).toEqual([0, 1, 1, 0, 0, 1]);
    map.unlock(2 * pageSize + 9, 1);
    expect(locked()).toEqual([0, 1, 0, 0, 0, 1]);
    map.lock(pageSize / 2, 0);
    expect(locked()).toEqual([0, 1, 0, 0, 0, 1]);
    map.unlock();
    expect(locked()).toEqual([0, 0, 0, 0, 0, 0]);
    for (const [offset, byteLength] of [
      [6 * pageSize, 1],
      [-1, 1],
      [0, 0.5],
    ] as const) {
      expect(() => map.lock(offset, byteLength)).toThrow(RangeError);
      expect(() => map.unlock(offset, byteLength)).toThrow(RangeError);
    }
  });

  it('onFault waits for the first touch', () => {
    using map = Mmap.anonymous(4 * pageSize);
    map.lock(0, 4 * pageSize, { onFault: true });
    expect(map.resident()).toBe(0);
    new Uint8Array(map.view())[pageSize] = 1;
    expect(map.resident()).toBe(pageSize);
    expect(mappingDetails(map.address)?.flags).toContain('lo');
    map.unlock(0, 4 * pageSize);
    expect(mappingDetails(map.address)?.flags).not.toContain('lo');
  });

  it('a refused lock leaves nothing locked', () => {
    using map = Mmap.anonymous(4 * pageSize);
    map.makeInaccessible(2 * pageSize, pageSize);
    expect(() => map.lock(0, 4 * pageSize)).toThrow(
      expect.objectContaining({ name: 'SystemError', syscall: 'mlock' }) as Error,
    );
    for (const page of [0, 1, 2, 3])
      expect(mappingDetails(map.address + page * pageSize)?.flags).not.toContain('lo');
    map.decommit(0, 4 * pageSize);
  });

  it('a refused lock leaves older ones', () => {
    using map = Mmap.reserve(10 * pageSize);
    const flags = (page: number) => mappingDetails(map.address + page * pageSize)?.flags.includes('lo');
    map.makeAccessible(0, 6 * pageSize);
    map.lock(pageSize, pageSize);
    map.lock(2 * pageSize, 2 * pageSize);
    map.unlock(3 * pageSize, pageSize);
    // Pages without access refuse, when all before them are locked already.
    expect(() => map.lock(0, 10 * pageSize)).toThrow(SystemError);
    expect([0, 1, 2, 3, 4].map(flags)).toEqual([false, true, true, false, false]);
    map.remapAsZerosAt(2 * pageSize, pageSize, 'read-write');
    expect(() => map.lock(0, 10 * pageSize)).toThrow(SystemError);
    expect([0, 1, 2, 3, 4].map(flags)).toEqual([false, true, false, false, false]);
  });

  it('says what refused, also if undoing is refused as well', () => {
    const faulty = new FaultyMemory();
    using map = Mmap.anonymous(4 * pageSize, { virtualMemory: faulty.virtualMemory });
    faulty.fail('lock', 'unlock');
    expect(() => map.lock(0, pageSize)).toThrow(/injected-lock/);
    expect(() => map.lock(0, pageSize, { onFault: 1 as never })).toThrow(/"options.onFault".*boolean/);
    expect(() => map.lock(0, pageSize, true as never)).toThrow(/"options"/);
    faulty.heal();
    map.lock(0, 0);
    map.unlock(0, 0);
    expect(faulty.calls.slice(-2)).toEqual(['lock', 'unlock']);
  });

  it('options whose reading closes the map lock nothing', () => {
    const map = Mmap.anonymous(4 * pageSize);
    const options = {
      get onFault() {
        map.close();
        return false;
      },
    };
    expect(() => map.lock(0, pageSize, options)).toThrow(/closed/);
    expect(() => platform().unlock(map.address, 4 * pageSize)).toThrow(SystemError);
  });
});

describe('many asynchronous calls', () => {
  it('wait for their turn, and so does closing', async () => {
    const map = Mmap.anonymous(3 * pageSize);
    const calls = Array.from({ length: 2000 }, () => map.adviseAsync(0, pageSize, 'willneed'));
    const refused = map.adviseAsync(0, pageSize, 'dodump');
    map.close();
    const outcomes = await Promise.allSettled([...calls, refused]);
    expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(map.closed).toBe(true);
  });

  it('wait also while others have taken all that koffi has', async () => {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const usleep = koffi.load(null).func('int usleep(unsigned int microseconds)');
    let ended = 0;
    let started = 0;
    try {
      for (; started < 5000; started++) usleep.async(20_000, () => ended++);
    } catch (error) {
      expect(String(error)).toMatch(/Too many/);
    }
    expect(started).toBeLessThan(5000);
    using map = Mmap.anonymous(3 * pageSize);
    const calls = [map.syncAsync(), map.adviseAsync(0, pageSize, 'willneed')];
    await expect(Promise.all(calls)).resolves.toHaveLength(2);
    expect(ended).toBeGreaterThan(0);
    await expect.poll(() => ended, { timeout: 20_000 }).toBe(started);
  });
});
