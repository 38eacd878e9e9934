import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { sampled } from '@guardstripe/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runLoad } from '../src/load.ts';
import { listen, type Listening } from '../src/server.ts';
import { MODES, openSandboxes, type Sandboxes } from '../src/sandboxes.ts';

interface Answer {
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a script must find: the library, and nothing else that is not JavaScript's own. */
const LOOK = `JSON.stringify([
  Object.keys(globalThis), Object.keys(lib).length, lib.f7(1), lib.version,
  Object.keys(Object.prototype), typeof [].push, [3, 1, 2].sort().join(), JSON.stringify({ a: [1] }),
  (function () { return typeof this; })(), Math.max(1, 2), new Date(0).getTime(), String(/a/.exec('a')),
])`;

const HOSTILE: readonly (readonly [what: string, script: string])[] = [
  ['globals', 'globalThis.leak = "secret"; var kept = 1; lib = null; delete globalThis.Map; 1'],
  [
    'functions of the library',
    'lib.f7 = () => "mine"; lib.version = 666; for (const k in lib) delete lib[k]; 1',
  ],
  [
    'prototypes',
    'Object.prototype.polluted = 1; Array.prototype.push = null; Function.prototype.call = 1; 1',
  ],
  [
    'built-ins',
    'JSON.stringify = () => "mine"; Math.max = () => 0; Date.prototype.getTime = () => 7; RegExp.prototype.exec = null; 1',
  ],
  [
    'accessors',
    'Object.defineProperty(Object.prototype, "x", { get() { return "mine"; }, set() { throw 1; } }); 1',
  ],
  [
    'frozen objects',
    'Object.freeze(globalThis); Object.freeze(lib); Object.preventExtensions(Array.prototype); 1',
  ],
  ['the heap', 'const all = []; for (;;) all.push(new Uint8Array(1e6).fill(65), { all })'],
  ['small objects', 'const all = []; for (;;) all.push({})'],
  ['the stack', 'const deep = (n) => deep(n + 1) + 1; deep(0)'],
  ['the stack, by a regular expression', '/^(((((a+)+)+)+)+)+$/.test("a".repeat(40) + "!")'],
  ['the stack, by nesting', '"[".repeat(1e5).split("").reduce((a, b) => [a]); JSON.parse("[".repeat(30000))'],
  ['time', 'for (;;) {}'],
  ['pending jobs', 'Promise.resolve().then(() => { globalThis.later = 1; for (;;) {} }); 1'],
  [
    'generators that are suspended',
    'function* g() { try { yield 1 } finally { globalThis.late = 1 } } globalThis.it = g(); it.next(); 1',
  ],
  ['symbols and interned strings', 'for (let i = 0; i < 1e5; i++) Symbol.for("s" + i); 1'],
  ['exceptions', 'throw { toString() { throw 1 }, get name() { throw 2 } }'],
  ['results that are odd', '({ get a() { globalThis.leak = 1; return this }, toJSON: null })'],
  ['an answer that JSON has no word for', '10n'],
  ['an answer that is longer than memory', '"x".repeat(2 ** 22)'],
  ['a promise', 'Promise.resolve(10n)'],
  ['a promise that is never kept', 'new Promise(() => {})'],
  ['errors that no text can be made of', 'throw { name: { toString: null, valueOf: null }, message: [{}] }'],
  ['nothing', ''],
  ['no JavaScript', '%%% \u0000 \ud800'],
];

describe.each(MODES)('a server of sandboxes, %s', (mode) => {
  let sandboxes: Sandboxes;
  let listening: Listening;

  beforeAll(async () => {
    sandboxes = openSandboxes(mode, { timeMs: 100, memoryPages: 512 });
    listening = await listen(sandboxes);
  });
  afterAll(async () => {
    listening.server.close();
    listening.server.closeAllConnections();
    await sandboxes[Symbol.asyncDispose]();
  });

  const send = async (script: string): Promise<Answer> => {
    const response = await fetch(listening.url, { method: 'POST', body: script });
    return (await response.json()) as Answer;
  };

  it('listens on the loopback interface alone', () => {
    expect(listening.server.address()).toMatchObject({ address: '127.0.0.1' });
  });

  it('answers with what a script returns, or throws', async () => {
    expect(await send('lib.f2(40)')).toEqual({ ok: true, value: 42 });
    expect(await send('[1, { a: "ü" }]')).toEqual({ ok: true, value: [1, { a: 'ü' }] });
    expect(await send('throw new TypeError("no")')).toEqual({ ok: false, error: 'TypeError: no' });
    expect((await send('for (;;) {}')).error).toMatch(/interrupted/);
    expect(await send('2n ** 64n')).toEqual({ ok: true, value: '18446744073709551616' });
    expect(await send('(async () => [1])()')).toEqual({ ok: true, value: { type: 'fulfilled', value: [1] } });
    expect(await send('new Promise(() => {})')).toEqual({ ok: true, value: { type: 'pending' } });
    expect(await send('throw { name: { toString: null } }')).toEqual({ ok: false, error: 'Error: ' });
    expect(await send('"x".repeat(2 ** 20)')).toMatchObject({
      ok: false,
      error: expect.stringContaining('1048576'),
    });
    const tooLong = await fetch(listening.url, { method: 'POST', body: ' '.repeat(70_000) });
    expect(tooLong.status).toBe(413);
  });

  it.each(sampled(HOSTILE))('no later request sees what was done to %s', async (_, script) => {
    const before = await send(LOOK);
    expect(before.ok).toBe(true);
    await send(script);
    expect(await send(LOOK)).toEqual(before);
    expect(await send(LOOK)).toEqual(before);
  });

  it('nor what many did at once', async () => {
    const before = await send(LOOK);
    const looks = await Promise.all(
      HOSTILE.filter(([what]) => what !== 'time').flatMap(([, script]) => [send(script), send(LOOK)]),
    );
    for (let i = 1; i < looks.length; i += 2) expect(looks[i]).toEqual(before);
  });
});

it('runs no script of a client that has gone', async () => {
  await using sandboxes = openSandboxes('restored', { timeMs: 50, memoryPages: 512 });
  await sandboxes.run('1'); // makes the interpreters
  const clients: Socket[] = [];
  let numRun = 0;
  const { server, url } = await listen({
    async run(script, signal) {
      const outcome = await sandboxes.run(script, signal);
      // All of them leave while the first script runs.
      if (numRun++ === 0) for (const client of clients) client.destroy();
      return outcome;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const script = 'for (;;) {}';
  const request = `POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${script.length}\r\n\r\n${script}`;
  for (let i = 0; i < 20; i++) clients.push(connect(Number(new URL(url).port), '127.0.0.1'));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  for (const client of clients) client.write(request);
  await Promise.all(clients.map((client) => once(client, 'close')));
  const answer = await fetch(url, { method: 'POST', body: '1' });
  expect(await answer.json()).toEqual({ ok: true, value: 1 });
  // The one, the one that was its turn then, and the last.
  expect(numRun).toBeLessThan(6);
  server.close();
  server.closeAllConnections();
});

describe('the load run', () => {
  it('gets right answers only', async () => {
    const { wrong, requests, residentBytes } = await runLoad('restored', 0.5, 3);
    expect(wrong).toBe(0);
    expect(requests).toBeGreaterThan(3);
    expect(residentBytes).toBeGreaterThan(0);
  });
});
