/** The HTTP side: `POST /` with a script, answered with JSON; `GET /memory` says what the process holds. Loopback only. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Sandboxes } from './sandboxes.ts';

const MAX_SCRIPT_BYTES = 64 * 1024;
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
  reply(response, 200, await sandboxes.run(script, AbortSignal.timeout(MAX_WAIT_MS)));
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
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
