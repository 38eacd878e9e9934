/** How many calls into C a switch takes, on every machine: the calls are stand-ins. */
import { afterEach, expect, it, vi } from 'vitest';
import { allow, currentMask, keys, ProtectionMask, withMask } from '../src/index.js';

const calls: string[] = vi.hoisted(() => []);

vi.mock('../src/key-system.js', () => {
  let next = 1;
  return {
    keySystem: () => ({
      obstacle: () => undefined,
      allocate: () => next++,
      free: () => next--,
      close: () => undefined,
    }),
  };
});

vi.mock(import('../src/pkru.js'), async (original) => {
  let register = 0;
  return {
    ...(await original()),
    pkru: () => ({
      read() {
        calls.push('read');
        return register;
      },
      swap(value, mask) {
        calls.push('swap');
        const before = register;
        register = ((register & ~mask) | (value & mask)) >>> 0;
        return before;
      },
    }),
  };
});

/** What happens in C while `step` runs. */
function callsOf(step: () => void): string[] {
  calls.length = 0;
  step();
  return [...calls];
}

afterEach(() => {
  calls.length = 0;
});

it.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'a switch is one call, in and out are two',
  () => {
    using lease = keys(3);
    const masks = lease.keys.map((key) => ProtectionMask.zero.or(key));
    for (const mask of masks) {
      expect(callsOf(() => allow(mask))).toEqual(['swap']);
      expect(callsOf(() => withMask(mask, () => undefined))).toEqual(['swap', 'swap']);
      expect(callsOf(() => currentMask())).toEqual(['read']);
    }
    expect(callsOf(() => ProtectionMask.all.allows(lease.keys[0]!))).toEqual([]);
  },
);
