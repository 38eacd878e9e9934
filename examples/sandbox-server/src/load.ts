/** A load run: the server in a process of its own, as many clients as given, scripts good and hostile. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { Mode } from './sandboxes.ts';

export interface LoadResult {
  readonly mode: Mode;
  readonly requests: number;
  readonly seconds: number;
  /** Answers that were not what they should be. */
  readonly wrong: number;
  /** Milliseconds, ascending. */
  readonly latenciesMs: readonly number[];
  readonly residentBytes: number;
}

const HOSTILE: readonly string[] = [
  'globalThis.leak = 1; lib.f1 = null; delete globalThis.lib',
  'Object.prototype.polluted = 1; Array.prototype.push = null; Array.prototype.map = () => "mine"',
  'const all = []; for (let i = 0; i < 20000; i++) all.push({ i }); globalThis.kept = all; all.length',
  'const deep = () => deep(); deep()',
];

/** A script whose answer is known, and is another one if anything is left of others. */
function honest(n: number): readonly [script: string, value: string] {
  const script = `[lib.f${n % 4000}(${n}), typeof leak, typeof kept, ({}).polluted, [1, 2].map((x) => x * ${n}).join()].join(' ')`;
  return [script, `${n + (n % 4000)} undefined undefined  ${n},${2 * n}`];
}

/** Sends requests for as long as asked. Every fifth script is hostile. */
export async function runLoad(mode: Mode, seconds: number, clients: number): Promise<LoadResult> {
  const program = fileURLToPath(new URL('../serve.ts', import.meta.url));
  const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const latenciesMs: number[] = [];
  let wrong = 0;
  let next = 0;
  await send(agent, url, '1'); // makes the first interpreter
  const start = performance.now();
  const client = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1000) {
      const n = next++;
      const sent = performance.now();
      if (n % 5 === 4) {
        await send(agent, url, HOSTILE[((n / 5) % HOSTILE.length) | 0] ?? '');
      } else {
        const [script, value] = honest(n);
        const { value: got } = JSON.parse(await send(agent, url, script)) as { value?: unknown };
        if (got !== value) wrong += 1;
      }
      latenciesMs.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const taken = (performance.now() - start) / 1000;
  const { residentBytes } = JSON.parse(await send(agent, `${url}/memory`)) as { residentBytes: number };
  agent.destroy();
  server.stdin.end();
  await once(server, 'exit');
  latenciesMs.sort((a, b) => a - b);
  return { mode, requests: latenciesMs.length, seconds: taken, wrong, latenciesMs, residentBytes };
}

/** POSTs a script, or GETs where there is none. */
async function send(agent: Agent, url: string, script?: string): Promise<string> {
  const sent = request(url, { agent, method: script === undefined ? 'GET' : 'POST' });
  sent.end(script);
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer>];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
