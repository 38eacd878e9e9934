/** Every way in which JavaScript comes to run inside of a call into the target: a restore from there is refused. */
import { EventEmitter } from 'node:events';
import { createContext, runInContext } from 'node:vm';

import {
  codeSection,
  exportSection,
  importEntry,
  importSection,
  moduleOf,
  section,
  startSection,
  vector,
} from '@guardstripe/wasm-builder';
import { describe, expect, it } from 'vitest';

import { snapshot, type Snapshot } from '../../src/index.js';
import { instantiate } from '../support/wasm.js';

const END = 0x0b;
const NO_TYPE = [0x60, 0, 0];
const TO_I32 = [0x60, 0, 1, 0x7f];

/**
 * (import "h" "f" (func)) (import "h" "v" (func (result i32))) (import "h" "m" (memory 1))
 * (table 4 funcref) run: calls f; convert: drops v(); indirect: calls table[0]; deep(n): n calls of itself, then f
 *
 * With `starts`, f is called at the start, too.
 */
const moduleBytes = (starts: boolean): Uint8Array<ArrayBuffer> =>
  moduleOf(
    section(1, vector([NO_TYPE, TO_I32, [0x60, 1, 0x7f, 0]])),
    importSection([
      importEntry(['h', 'f'], [0, 0]),
      importEntry(['h', 'v'], [0, 1]),
      importEntry(['h', 'm'], [2, 0, 1]),
    ]),
    section(3, vector([[0], [0], [0], [2]])),
    section(4, vector([[0x70, 0, 4]])),
    exportSection(
      ['memory', 2, 0],
      ['table', 1, 0],
      ['run', 0, 2],
      ['convert', 0, 3],
      ['indirect', 0, 4],
      ['deep', 0, 5],
      ['imported', 0, 0],
    ),
    ...(starts ? [startSection(2)] : []),
    codeSection(
      [0x10, 0],
      [0x10, 1, 0x1a],
      [0x41, 0, 0x11, 0, 0],
      // if (n) deep(n - 1) else f()
      [0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x10, 5, 0x05, 0x10, 0, END],
    ),
  );

const module = new WebAssembly.Module(moduleBytes(false));

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly table: WebAssembly.Table;
  readonly run: () => void;
  readonly convert: () => void;
  readonly indirect: () => void;
  readonly deep: (frames: number) => void;
  readonly imported: () => void;
}

interface Made {
  readonly memory: WebAssembly.Memory;
  readonly instance: WebAssembly.Instance;
  readonly exports: Exports;
}

function make(
  f: () => void,
  v = (): unknown => 0,
  of = module,
  memory = new WebAssembly.Memory({ initial: 1 }),
): Made {
  const instance = new WebAssembly.Instance(of, { h: { f, v, m: memory } });
  return { memory, instance, exports: instance.exports as unknown as Exports };
}

const code = (run: () => void): unknown => {
  try {
    run();
    return 'done';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? error;
  }
};
const REFUSED = 'ERR_SNAPSHOT_CALL_ON_STACK';

/** Looks on as a snapshot is restored: `look` from inside, and the answers are its. */
class Onlooker {
  readonly answers: unknown[] = [];
  state: Snapshot | undefined;
  readonly look = (): void => void this.answers.push(code(() => this.state?.restore()));
}

describe('a restore from inside of a call is refused', () => {
  it('while the module starts, of a memory that it imports', () => {
    const onlooker = new Onlooker();
    const memory = new WebAssembly.Memory({ initial: 1 });
    onlooker.state = snapshot(memory);
    const starting = new WebAssembly.Module(moduleBytes(true));
    make(onlooker.look, () => 0, starting, memory);
    expect(onlooker.answers).toEqual([REFUSED]);
    onlooker.look();
    expect(onlooker.answers).toEqual([REFUSED, 'done']);
    onlooker.state.close();
  });

  it.each(['valueOf', 'toString', Symbol.toPrimitive])(
    'where what an import returns is converted, %s',
    (hook) => {
      const onlooker = new Onlooker();
      const { instance, exports } = make(
        () => {},
        () => ({ valueOf: undefined, toString: undefined, [hook]: () => (onlooker.look(), 1) }),
      );
      onlooker.state = snapshot(instance);
      exports.convert();
      expect(onlooker.answers).toEqual([REFUSED]);
      onlooker.state.close();
    },
  );

  it('but not where what an export is given is converted: the call has not begun', () => {
    const { instance, exports } = instantiate();
    using state = snapshot(instance);
    exports.poke(1, 1);
    exports.poke({ valueOf: () => (state.restore(), 2) } as never, 7);
    expect([exports.peek(1), exports.peek(2)]).toEqual([0, 7]);
  });

  it('through tables, of an instance and of the one that it calls', () => {
    const [first, second] = [new Onlooker(), new Onlooker()];
    const both = (): void => (first.look(), second.look());
    const caller = make(() => {});
    const callee = make(both);
    first.state = snapshot(caller.instance);
    second.state = snapshot(callee.instance);
    caller.exports.table.set(0, callee.exports.run);
    caller.exports.indirect();
    // Alone, the callee is at no call of the caller.
    callee.exports.run();
    // A function of JavaScript that was imported and exported is called without a frame of the callee.
    caller.exports.table.set(0, callee.exports.imported);
    caller.exports.indirect();
    expect(first.answers).toEqual([REFUSED, 'done', REFUSED]);
    expect(second.answers).toEqual([REFUSED, REFUSED, 'done']);
    for (const { state } of [first, second]) state?.close();
  });

  it('however many frames lie between', () => {
    const onlooker = new Onlooker();
    const down = (depth: number): void => (depth === 0 ? onlooker.look() : down(depth - 1));
    let depth = 0;
    const { instance, exports } = make(() => down(depth));
    onlooker.state = snapshot(instance);
    exports.deep(4000);
    depth = 5000;
    exports.run();
    exports.deep(1000);
    expect(onlooker.answers).toEqual([REFUSED, REFUSED, REFUSED]);
    down(5000);
    expect(onlooker.answers.at(-1)).toBe('done');
    onlooker.state.close();
  });

  it('from generators, asynchronous ones and functions up to where they wait', async () => {
    const onlooker = new Onlooker();
    const waiting: Promise<unknown>[] = [];
    function* steps(): Generator<void> {
      onlooker.look();
      yield;
    }
    async function* later(): AsyncGenerator<void> {
      onlooker.look();
      await Promise.resolve();
      onlooker.look();
      yield;
    }
    const { instance, exports } = make(() => {
      steps().next();
      waiting.push(later().next());
    });
    onlooker.state = snapshot(instance);
    exports.run();
    expect(onlooker.answers).toEqual([REFUSED, REFUSED]);
    await Promise.all(waiting);
    expect(onlooker.answers).toEqual([REFUSED, REFUSED, 'done']);
    onlooker.state.close();
  });

  it('from getters, proxies, sorting, replacing, parsing and events', () => {
    const onlooker = new Onlooker();
    const { look } = onlooker;
    const inBetween: (() => unknown)[] = [
      () => Reflect.get({ get x() { return look(); } }, 'x'), // prettier-ignore
      () => Reflect.get(new Proxy({}, { get: look }), 'x'),
      () => [2, 1].sort(() => (look(), 0)),
      () => 'x'.replace('x', () => (look(), '')),
      () => JSON.parse('1', look),
      () => Array.from({ length: 1 }, look),
      () => new EventEmitter().on('look', look).emit('look'),
      () => structuredClone({ get x() { return look(); } }), // prettier-ignore
    ];
    const { instance, exports } = make(() => inBetween.forEach((each) => each()));
    onlooker.state = snapshot(instance);
    exports.run();
    expect(onlooker.answers).toEqual(inBetween.map(() => REFUSED));
    onlooker.state.close();
  });

  it('of an instance of another realm, with an Error of its own, and from a function of it', () => {
    const onlooker = new Onlooker();
    const context = createContext({ look: onlooker.look, bytes: moduleBytes(false) });
    const made = runInContext(
      `Error.stackTraceLimit = 0;
       Error.prepareStackTrace = () => [];
       const memory = new WebAssembly.Memory({ initial: 1 });
       const h = { f: () => look(), v: () => 0, m: memory };
       new WebAssembly.Instance(new WebAssembly.Module(bytes), { h });`,
      context,
    ) as WebAssembly.Instance;
    onlooker.state = snapshot(made);
    (made.exports as unknown as Exports).run();
    expect(onlooker.answers).toEqual([REFUSED]);
    onlooker.look();
    expect(onlooker.answers).toEqual([REFUSED, 'done']);
    onlooker.state.close();
  });

  it('through another call that could be suspended, on a stack of its own', async (context) => {
    const { promising } = WebAssembly as unknown as {
      promising?: (f: unknown) => () => Promise<unknown>;
    };
    if (promising === undefined) return context.skip('this V8 has no JavaScript promise integration');
    const onlooker = new Onlooker();
    const inner = make(onlooker.look);
    let ended: Promise<unknown> | undefined;
    const { instance, exports } = make(() => (ended = promising(inner.exports.run)()));
    onlooker.state = snapshot(instance);
    exports.run();
    await ended;
    expect(onlooker.answers).toEqual([REFUSED]);
    onlooker.state.close();
  });
});
