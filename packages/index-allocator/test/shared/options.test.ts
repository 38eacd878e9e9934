import { afterEach, describe, expect, it, vi } from 'vitest';

import { numCores, readThreads, readWait } from '../../src/shared/options.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

const isAlive = (): boolean => true;

describe('who the threads are', () => {
  it.each([
    [undefined, '"options.threads" property must be of type object'],
    [{ isAlive }, '"options.threads.self" property must be of type number'],
    [{ self: 0, isAlive }, '"options.threads.self"'],
    [{ self: 2 ** 30, isAlive }, '"options.threads.self"'],
    [{ self: 1 }, '"options.threads.isAlive" property must be of type function'],
  ])('%j is refused', (threads, words) => {
    expect(() => readThreads(threads)).toThrow(words);
  });

  it('is asked of the object itself', () => {
    const threads = {
      self: 3,
      dead: 4,
      isAlive(thread: number) {
        return thread !== this.dead;
      },
    };
    const me = readThreads(threads);
    expect([me.self, me.isAlive(4), me.isAlive(5)]).toEqual([3, false, true]);
  });
});

describe('a signal', () => {
  const whole = {
    aborted: false,
    throwIfAborted: isAlive,
    addEventListener: isAlive,
    removeEventListener: isAlive,
  };

  it.each([
    [5, '"options.signal" property must be of type object'],
    [{ ...whole, throwIfAborted: 1 }, '"options.signal.throwIfAborted" property must be of type function'],
    [
      { ...whole, addEventListener: 1 },
      '"options.signal.addEventListener" property must be of type function',
    ],
    [
      { ...whole, removeEventListener: 1 },
      '"options.signal.removeEventListener" property must be of type function',
    ],
  ])('%j is refused', (signal, words) => {
    expect(() => readWait({ signal } as never)).toThrow(words);
  });

  it('may be left out', () => {
    expect([readWait(undefined), readWait({})]).toEqual([{}, {}]);
    expect(readWait({ signal: whole as never }).signal).toBe(whole);
  });
});

it('without a navigator there are as many cores as a small server has', () => {
  vi.stubGlobal('navigator', { hardwareConcurrency: 7 });
  expect(numCores()).toBe(7);
  vi.stubGlobal('navigator', undefined);
  expect(numCores()).toBe(4);
});
