import { runInNewContext, runInThisContext } from 'node:vm';

import { describe, expect, it, vi } from 'vitest';

import { snapshot, type Snapshot } from '../../src/index.js';
import { instantiate, type TestInstance } from '../support/wasm.js';

const onStack = expect.objectContaining({ code: 'ERR_SNAPSHOT_CALL_ON_STACK' });

/** An instance whose `visit` runs what is given. */
function visited(shape = [{ initial: 2, maximum: 8 }]): TestInstance & { during: (run: () => void) => void } {
  let run = (): void => {};
  const made = instantiate(shape, { host: () => run() });
  return {
    ...made,
    during(next) {
      run = next;
      made.exports.visit();
    },
  };
}

describe('from within a call into the instance', () => {
  it('nothing is taken or restored, and the call goes on with its own memory', () => {
    const { instance, exports, during } = visited();
    exports.poke(1, 1);
    using state = snapshot(instance);
    exports.poke(1, 2);
    const other = instantiate([{ initial: 2, maximum: 8 }]);
    during(() => {
      expect(() => state.restore()).toThrow(onStack);
      expect(() => snapshot(instance)).toThrow(onStack);
      expect(() => snapshot(exports.memory)).toThrow(onStack);
      expect(() => state.restoreInto(instance)).toThrow(onStack);
      // Another instance is at rest.
      state.restoreInto(other.instance);
    });
    expect([exports.peek(1), other.exports.peek(1)]).toEqual([2, 1]);
    state.restore();
    expect(exports.peek(1)).toBe(1);
  });

  it('is seen however deep it lies, and through other code in between', () => {
    const { instance, during } = visited();
    using state = snapshot(instance);
    const inner = visited();
    const deep = (depth: number): void => {
      if (depth > 0) return deep(depth - 1);
      expect(() => state.restore()).toThrow(onStack);
    };
    during(() => deep(300));
    during(() => inner.during(() => [1].forEach(() => deep(3))));
    during(() => Reflect.apply(deep, instance, [0]));
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1;
    try {
      during(() => deep(30));
      expect(Error.stackTraceLimit).toBe(1);
    } finally {
      Error.stackTraceLimit = limit;
    }
  });

  it('is seen for a target of exports or of a memory alone, and not for calls into strangers', () => {
    const first = visited();
    const second = visited();
    using byExports = snapshot(first.instance.exports);
    using byMemory = snapshot(first.exports.memory);
    const states: Snapshot[] = [byExports, byMemory];
    for (const state of states) {
      first.during(() => expect(() => state.restore()).toThrow(onStack));
      second.during(() => state.restore());
    }
  });

  it('is seen in code of both tiers', () => {
    const { instance, exports, during } = visited();
    using state = snapshot(instance);
    for (let i = 0; i < 20_000; i++) exports.visit(); // hot enough for the optimizing compiler
    during(() => expect(() => state.restore()).toThrow(onStack));
    state.restore();
  });

  it('leaves settings of Error as they were, a formatter of stacks included', () => {
    const { instance } = instantiate();
    using state = snapshot(instance);
    const { stackTraceLimit } = Error;
    const prepareStackTrace: unknown = Reflect.get(Error, 'prepareStackTrace');
    const mine = (): string => 'mine';
    Error.prepareStackTrace = mine;
    try {
      state.restore();
      expect(Reflect.get(Error, 'prepareStackTrace')).toBe(mine);
      expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    } finally {
      Object.assign(Error, { prepareStackTrace });
    }
  });

  it('is not mistaken for a JavaScript function that has the instance as its `this`', () => {
    const { instance } = instantiate();
    using state = snapshot(instance);
    // Not strict, so that its frame names its receiver.
    const sloppy = runInThisContext('(function (run) { return run(); })') as (run: () => void) => void;
    expect(() => Reflect.apply(sloppy, instance, [() => state.restore()])).not.toThrow();
  });

  it('is not looked for where the caller vouches for it', () => {
    const { instance, exports, during } = visited();
    using state = snapshot(instance, { callsAtRest: true });
    exports.poke(1, 2);
    during(() => state.restore()); // `visit` uses no memory of its own
    expect(exports.peek(1)).toBe(0);
  });

  it('is seen inside of a call that may be suspended (JavaScript promise integration)', async (context) => {
    const { promising, Suspending } = WebAssembly as unknown as {
      promising?: (f: unknown) => () => Promise<unknown>;
      Suspending?: new (f: () => Promise<void>) => () => void;
    };
    if (promising === undefined || Suspending === undefined) {
      context.skip('this V8 has no JavaScript promise integration');
      return;
    }
    let state: Snapshot | undefined;
    const seen: unknown[] = [];
    const host = new Suspending(async () => {
      expect(() => state?.restore()).toThrow(onStack);
      await Promise.resolve();
      // Suspended: the stack that can be seen is empty. This is what the documentation leaves to the caller.
      state?.restore();
      seen.push('suspended');
    });
    const { instance, exports } = instantiate(undefined, { host });
    state = snapshot(instance);
    await promising(exports.visit)();
    expect(seen).toEqual(['suspended']);
    state.restore();
    state.close();
  });

  it('does not matter after it has thrown, or in a later turn', async () => {
    const { instance, exports, during } = visited();
    using state = snapshot(instance);
    exports.poke(1, 2);
    expect(() =>
      during(() => {
        throw new Error('out');
      }),
    ).toThrow('out');
    state.restore();
    let later: Promise<void> | undefined;
    during(() => {
      later = Promise.resolve().then(() => state.restore());
    });
    await later;
    expect(exports.peek(1)).toBe(0);
  });

  describe('whatever others do to Error', () => {
    /** Another function in a place of Error, for as long as `run` runs; V8's own are always put back. */
    function withError(name: keyof ErrorConstructor, other: PropertyDescriptor, run: () => void): void {
      const own = Object.getOwnPropertyDescriptor(Error, name);
      Object.defineProperty(Error, name, { configurable: true, ...other });
      try {
        run();
      } finally {
        if (own === undefined) Reflect.deleteProperty(Error, name);
        else Object.defineProperty(Error, name, own);
      }
    }

    /** Calls of strangers above it: more than a stack shows by default. */
    function amongMany(made: ReturnType<typeof visited>, run: () => void): void {
      const strangers = Array.from({ length: 20 }, () => visited());
      made.during(
        strangers.reduce(
          (next, { during }) =>
            () =>
              during(next),
          run,
        ),
      );
    }

    it.each<[string, (run: () => void) => void]>([
      [
        'another Error',
        (run) => {
          const own = Error;
          globalThis.Error = class extends own {} as ErrorConstructor;
          try {
            run();
          } finally {
            globalThis.Error = own;
          }
        },
      ],
      [
        'another captureStackTrace',
        (run) =>
          withError(
            'captureStackTrace',
            { value: (holder: object) => Object.assign(holder, { stack: [] }) },
            run,
          ),
      ],
      [
        'a formatter that stays',
        (run) => withError('prepareStackTrace', { get: () => () => [], set: () => {} }, run),
      ],
      ['a limit that stays', (run) => withError('stackTraceLimit', { get: () => 5, set: () => {} }, run)],
      [
        'a limit that is none',
        (run) => withError('stackTraceLimit', { value: 'many', writable: false }, run),
      ],
    ])('%s', (_, inPlace) => {
      const made = visited();
      using state = snapshot(made.instance);
      made.exports.poke(1, 2);
      amongMany(made, () => inPlace(() => expect(() => state.restore()).toThrow(onStack)));
      expect(made.exports.peek(1)).toBe(2);
      state.restore();
      expect(made.exports.peek(1)).toBe(0);
    });

    /** Loads the package anew where `Error` is another. */
    async function loadedWith(other: object): Promise<{ readonly snapshot: typeof snapshot }> {
      const own = Error;
      Object.assign(globalThis, { Error: other });
      vi.resetModules();
      try {
        return await import('../../src/index.js');
      } finally {
        Object.assign(globalThis, { Error: own });
      }
    }

    it('sees it where a subclass of Error was there first', async () => {
      const another = await loadedWith(class extends Error {});
      const made = visited();
      using state = another.snapshot(made.instance);
      made.exports.poke(1, 2);
      amongMany(made, () => expect(() => state.restore()).toThrow(onStack));
      state.restore();
      expect(made.exports.peek(1)).toBe(0);
    });

    it('refuses where somebody was there first who shows no frames of WebAssembly', async () => {
      const { instance, exports } = visited();
      const showsNothing = new Proxy(Error, {
        construct(target, args, newTarget) {
          // Errors that are thrown are as ever.
          if (newTarget.prototype instanceof Error)
            return Reflect.construct(target, args, newTarget) as object;
          const holder = {};
          const format = (): unknown =>
            (showsNothing.prepareStackTrace as (error: object, frames: []) => unknown)(holder, []);
          return Object.defineProperty(holder, 'stack', { get: format });
        },
      });
      const another = await loadedWith(showsNothing);
      expect(() => another.snapshot(instance)).toThrow(/show no frames of WebAssembly/);
      using state = another.snapshot(instance, { callsAtRest: true });
      exports.poke(1, 2);
      state.restore();
      expect(exports.peek(1)).toBe(0);
    });
  });

  it('is seen in microtasks that run inside of it', () => {
    const { instance, during } = visited();
    using state = snapshot(instance);
    let seen = 0;
    during(() => {
      const look = (): void => {
        expect(() => state.restore()).toThrow(onStack);
        seen += 1;
      };
      // A realm with a queue of its own, which is emptied before the evaluation returns.
      runInNewContext('Promise.resolve().then(() => look())', { look }, { microtaskMode: 'afterEvaluate' });
      expect(seen).toBe(1);
    });
  });

  it('is seen where V8 cannot be asked for frames of WebAssembly alone, too', async () => {
    const { instance, exports, during } = visited();
    const noModule = vi.spyOn(WebAssembly, 'Module').mockImplementation(function () {
      throw new RangeError('no room');
    });
    vi.resetModules();
    const another = (await import('../../src/index.js')) as { readonly snapshot: typeof snapshot };
    using state = another.snapshot(instance, { method: 'copy' });
    expect(noModule).toHaveBeenCalledOnce();
    noModule.mockRestore();
    exports.poke(1, 2);
    const inner = visited();
    during(() => inner.during(() => [1].forEach(() => expect(() => state.restore()).toThrow(onStack))));
    expect(exports.peek(1)).toBe(2);
    // All frames are looked at: one of JavaScript that has the instance as its `this` is none of its calls.
    const sloppy = runInThisContext('(function (run) { return run(); })') as (run: () => void) => void;
    Reflect.apply(sloppy, instance, [() => state.restore()]);
    expect(exports.peek(1)).toBe(0);
  });
});
