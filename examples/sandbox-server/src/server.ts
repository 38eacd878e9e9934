/** The HTTP side: `POST /` with a script, answered with JSON; `GET /memory` says what the process holds. Loopback only. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Sandboxes } from './sandboxes.ts';

const MAX_SCRIPT_BYTES = 64 * 1024;
/** As much as a script can make, a client that reads slowly has the server keep. */
const MAX_ANSWER_CHARACTERS = 2 ** 20;
const MAX_WAIT_MS = 5000;

/** A listening server, and where. */
export interface Listening {
  readonly server: Server;
  readonly url: string;
}

/** Listens on a free port of 127.0.0.1, or on the one asked for. */
export async function listen(sandboxes: Sandboxes, port = 0): Promise<Listening> {
  const server = createServer((request, response) => {
    answer(sandboxes, request, response).catch((error: unknown) => {
      reply(response, 500, { ok: false, error: error instanceof Error ? error.message : String(error) });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${address.port}` };
}

async function answer(
  sandboxes: Sandboxes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'GET' && request.url === '/memory') {
    return reply(response, 200, { residentBytes: process.memoryUsage.rss() });
  }
  if (request.method !== 'POST') return reply(response, 405, { ok: false, error: 'POST a script' });
  const script = await readBody(request);
  if (script === undefined)
    return reply(response, 413, { ok: false, error: `at most ${MAX_SCRIPT_BYTES} bytes` });
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(MAX_WAIT_MS)]);
  reply(response, 200, await sandboxes.run(script, signal));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= MAX_SCRIPT_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_SCRIPT_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  // Before the head is written: what fails here is answered with another head.
  const text = JSON.stringify(body, bigIntAsText);
  if (text.length > MAX_ANSWER_CHARACTERS) {
    const error = `an answer of at most ${MAX_ANSWER_CHARACTERS} characters`;
    return reply(response, status, { ok: false, error });
  }
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
}

/** JSON has none. */
function bigIntAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
