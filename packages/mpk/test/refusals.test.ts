/** What the package makes of a kernel that says no, on every machine: the kernel is a stand-in. */
import { constants } from 'node:os';
import { beforeEach, describe, expect, it, vi } from 'vitest';

interface StandIn {
  /** `errno` of each coming `pkey_alloc`; a key where there is none. */
  refusals: (number | undefined)[];
  held: Set<number>;
  freeFails: boolean;
  /** What `obstacle` answers. */
  obstacle: string | undefined;
}

const kernel: StandIn = vi.hoisted(() => ({
  refusals: [],
  held: new Set(),
  freeFails: false,
  obstacle: undefined,
}));

vi.mock('../src/key-system.js', () => ({
  keySystem: () => ({
    obstacle: () => kernel.obstacle,
    close: () => undefined,
    allocate(): number {
      const errno = kernel.refusals.shift();
      if (errno !== undefined) throw new SystemError(errno, { syscall: 'pkey_alloc' });
      const id = Array.from({ length: 15 }, (_, i) => i + 1).find((i) => !kernel.held.has(i));
      if (id === undefined) throw new SystemError(constants.errno.ENOSPC, { syscall: 'pkey_alloc' });
      kernel.held.add(id);
      return id;
    },
    free(id: number): void {
      if (kernel.freeFails)
        throw new SystemError(constants.errno.EINVAL, { syscall: 'pkey_free', details: { id } });
      kernel.held.delete(id);
    },
  }),
}));

let SystemError: typeof import('@guardstripe/mmap').SystemError;

/** A fresh copy of the package: support is asked once. */
async function load(): Promise<typeof import('../src/index.js')> {
  vi.resetModules();
  // The copy's own class.
  ({ SystemError } = await import('@guardstripe/mmap'));
  return import('../src/index.js');
}

beforeEach(() => {
  Object.assign(kernel, { refusals: [], held: new Set(), freeFails: false, obstacle: undefined });
});

const onLinux = process.platform === 'linux' && process.arch === 'x64';

describe.runIf(onLinux)('a kernel or a processor without keys', () => {
  it('means: not supported, and why', async () => {
    kernel.obstacle = 'the kernel gives none (ENOSYS)';
    const { isSupported, supportReason } = await load();
    expect(isSupported()).toBe(false);
    expect(supportReason()).toBe('there are no protection keys: the kernel gives none (ENOSYS)');
  });

  it('is asked for no key', async () => {
    kernel.obstacle = 'none';
    kernel.refusals = [constants.errno.ENOSYS];
    const { isSupported, keys } = await load();
    expect(isSupported()).toBe(false);
    expect(keys().keys).toEqual([]);
    expect(kernel.refusals).toHaveLength(1);
  });

  it('leaves masks that do nothing', async () => {
    kernel.obstacle = 'none';
    const { allow, currentMask, ProtectionMask, withMask } = await load();
    allow(ProtectionMask.zero);
    expect(currentMask()).toBe(ProtectionMask.all);
    expect(withMask(ProtectionMask.zero, () => 7)).toBe(7);
  });
});

describe.runIf(onLinux)('a kernel that gives keys', () => {
  it('is asked for none by the question whether there are any, so that all may be taken just then', async () => {
    kernel.held = new Set(Array.from({ length: 15 }, (_, i) => i + 1));
    const { isSupported, keys } = await load();
    kernel.refusals = [constants.errno.ENOSYS];
    expect(isSupported()).toBe(true);
    expect(kernel.refusals).toHaveLength(1);
    kernel.refusals = [];
    kernel.held.delete(7);
    using lease = keys();
    expect(lease.keys.map(({ id }) => id)).toEqual([7]);
  });

  it('gives as many as are free', async () => {
    const { keys } = await load();
    kernel.held = new Set([2, 3, 9]);
    const lease = keys();
    expect(lease.keys.map(({ id }) => id)).toEqual([1, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15]);
    expect(lease.keys.map(({ stripe }) => stripe)).toEqual(lease.keys.map((_, i) => i));
    lease.dispose();
    expect([...kernel.held]).toEqual([2, 3, 9]);
  });

  it('and has none left says so', async () => {
    const { isSupported, keys } = await load();
    expect(isSupported()).toBe(true);
    kernel.held = new Set(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(() => keys(3)).toThrow(
      expect.objectContaining({
        name: 'KeysExhaustedError',
        code: 'ERR_MPK_KEYS_EXHAUSTED',
        cause: expect.objectContaining({ code: 'ENOSPC' }) as unknown,
      }) as Error,
    );
  });

  it('and then fails for another reason gets back what was taken', async () => {
    const { isSupported, keys } = await load();
    expect(isSupported()).toBe(true);
    kernel.refusals = [undefined, undefined, constants.errno.EPERM];
    expect(() => keys(5)).toThrow(expect.objectContaining({ code: 'EPERM', syscall: 'pkey_alloc' }) as Error);
    expect(kernel.held.size).toBe(0);
  });

  it('and takes none back is heard', async () => {
    const { keys } = await load();
    const lease = keys(3);
    kernel.freeFails = true;
    expect(() => lease.dispose()).toThrow(
      expect.objectContaining({ code: 'EINVAL', syscall: 'pkey_free' }) as Error,
    );
  });
});

describe('another platform', () => {
  it('has no keys and is not asked for any', async () => {
    const platform = Object.getOwnPropertyDescriptor(process, 'platform')!;
    try {
      Object.defineProperty(process, 'platform', { ...platform, value: 'plan9' });
      kernel.refusals = [constants.errno.ENOSYS];
      const { isSupported, keys, supportReason } = await load();
      expect(isSupported()).toBe(false);
      expect(supportReason()).toContain('plan9');
      expect(keys(4).keys).toEqual([]);
      expect(kernel.refusals).toHaveLength(1);
    } finally {
      Object.defineProperty(process, 'platform', platform);
    }
  });
});
