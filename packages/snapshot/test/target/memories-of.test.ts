/** Calls of instances other than the target's: those that use its memory, and strangers. */
import {
  byteVector,
  exportSection,
  importEntry,
  importSection,
  memoryType,
  moduleOf,
  section,
  startSection,
  vector,
} from '@guardstripe/wasm-builder';
import { describe, expect, it, vi } from 'vitest';

import { snapshot, type SnapshotTarget } from '../../src/index.js';
import { fixtureJson } from '../support/child.js';
import { instantiate, type TestInstance } from '../support/wasm.js';

const onStack = expect.objectContaining({ code: 'ERR_SNAPSHOT_CALL_ON_STACK' });

interface Importing {
  /** Has and exports a second memory. */
  readonly own?: boolean;
  /** Imports and exports a second memory. */
  readonly exportsThird?: boolean;
  /** Does its work while it is instantiated. */
  readonly start?: boolean;
}

/** Adds one to the memory's first word in another instance, that calls out between its load and its store. */
function increment(
  memory: WebAssembly.Memory,
  call: () => void,
  { own = false, exportsThird = false, start = false }: Importing,
): void {
  const [I32, END] = [0x7f, 0x0b];
  const load = [0x41, 0, 0x28, 2, 0, 0x21, 0];
  const store = [0x41, 0, 0x20, 0, 0x41, 1, 0x6a, 0x36, 2, 0];
  const bytes = moduleOf(
    section(1, vector([[0x60, 0, 0]])),
    importSection([
      importEntry(['host', 'call'], [0, 0]),
      importEntry(['host', 'memory'], [2, ...memoryType({ minimum: 1 })]),
      ...(exportsThird ? [importEntry(['host', 'third'], [2, ...memoryType({ minimum: 1 })])] : []),
    ]),
    section(3, vector([[0]])),
    ...(own ? [section(5, vector([[0, 1]]))] : []),
    exportSection(['run', 0, 1], ...(own || exportsThird ? [['another', 2, 1] as const] : [])),
    ...(start ? [startSection(1)] : []),
    section(10, vector([byteVector([1, 1, I32, ...load, 0x10, 0, ...store, END])])),
  );
  const third = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    host: { call, memory, third },
  });
  if (!start) (exports['run'] as () => void)();
}

describe('a call into an instance that imports the memory', () => {
  const kinds: readonly [string, (made: TestInstance) => SnapshotTarget][] = [
    ['the memory alone', ({ exports }) => exports.memory],
    ['the instance', ({ instance }) => instance],
    ['its exports', ({ instance }) => instance.exports],
  ];
  describe.each(kinds)('and the target is %s', (_, targetOf) => {
    it.each<[string, Importing]>([
      ['without exporting any', {}],
      ['and exports another, of its own', { own: true }],
      ['and exports another that it imports', { exportsThird: true }],
      ['and is not made yet: its start function calls', { own: true, start: true }],
    ])('%s', (__, shape) => {
      const made = instantiate();
      made.exports.poke(0, 10);
      using state = snapshot(targetOf(made));
      made.exports.poke(0, 20);
      let looks = 0;
      const call = (): void => {
        looks += 1;
        expect(() => state.restore()).toThrow(onStack);
        expect(() => snapshot(targetOf(made))).toThrow(onStack);
      };
      increment(made.exports.memory, call, shape);
      expect([looks, made.exports.peek(0)]).toEqual([1, 21]);
      state.restore();
      expect(made.exports.peek(0)).toBe(10);
    });
  });

  it('is not told from strangers where there is no inspector, and all are refused', () => {
    using state = snapshot(instantiate().instance);
    let run = (): void => {};
    const stranger = instantiate(undefined, { host: () => run() });
    run = () => expect(() => state.restore()).toThrow(onStack);
    const none = vi.spyOn(process, 'getBuiltinModule').mockImplementation(() => {
      throw new Error('denied');
    });
    stranger.exports.visit();
    expect(none).toHaveBeenCalled();
    none.mockRestore();
    // And nothing was concluded from that.
    run = () => state.restore();
    stranger.exports.visit();
  });

  it('is found out without a trace: no microtask runs, and nothing is left behind', async () => {
    using state = snapshot(instantiate().instance);
    const globals = Reflect.ownKeys(globalThis);
    let ran = 0;
    const later = Promise.resolve().then(() => (ran += 1));
    const host = vi.fn<() => void>(() => {
      state.restore();
      expect(ran).toBe(0);
    });
    instantiate(undefined, { host }).exports.visit();
    expect(host).toHaveBeenCalledOnce();
    await later;
    expect(Reflect.ownKeys(globalThis)).toEqual(globals);
  });

  it('is not told from strangers by a process that may not have an inspector', () => {
    expect(fixtureJson('strangers.mjs')).toEqual({});
    const restricted = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    expect(fixtureJson('strangers.mjs', [], [restricted, '--allow-fs-read=*'])).toEqual({
      error: 'ERR_SNAPSHOT_CALL_ON_STACK',
    });
  });
});
