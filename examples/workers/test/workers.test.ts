/** The server under load, with workers that die in the middle: wherever memories come from, no request sees another one's. */
import { Agent } from 'node:http';
import { laps, sampled } from '@guardstripe/test-support';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, runLoad } from '../src/load.ts';
import { MODES } from '../src/messages.ts';
import { WorkerServer } from '../src/server.ts';
import { expected, NUM_TENANTS } from '../src/tenants.ts';

const OPTIONS = { workers: 3, totalSlots: 24, timeLimitMs: 800 };

let server: WorkerServer | undefined;
const agent = new Agent();

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function until(condition: () => boolean): Promise<void> {
  // Bounded by the test's own limit of time.
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each(sampled(MODES))('memories from: %s', (mode) => {
  it('are fresh for every request, also while workers die', async () => {
    server = await WorkerServer.start({ mode, ...OPTIONS });
    const { requests, wrong } = await runLoad(server, { seconds: laps(10, 2) / 10, clients: 8, kills: 3 });
    expect(wrong).toBe(0);
    expect(requests).toBeGreaterThan(0);
    // One that was to die may have been in the hands of one that did.
    expect(server.died).toBeGreaterThan(0);
  });
});

describe('a worker that dies', () => {
  it.each(sampled(['throw', 'loop']))(
    'of a request that ends in a %s takes nobody else along',
    async (how) => {
      server = await WorkerServer.start({ mode: 'shared', ...OPTIONS });
      const { url } = server;
      const deadly = Array.from({ length: OPTIONS.workers }, (_, n) => ask(agent, `${url}/1/${n}/${how}`));
      expect((await Promise.all(deadly)).map(({ status }) => status)).toEqual([500, 500, 500]);
      await until(() => server!.workers === OPTIONS.workers);
      expect(server.died).toBe(OPTIONS.workers);
      for (let n = 0; n < 3 * OPTIONS.totalSlots; n++) {
        const tenant = n % NUM_TENANTS;
        const { text } = await ask(agent, `${url}/${tenant}/${n}`);
        expect(text).toBe(expected(tenant, n));
      }
      await until(() => server!.liveMemories === 0);
    },
  );

  it('is asked for nothing that is no request', async () => {
    server = await WorkerServer.start({ mode: 'shared', ...OPTIONS });
    for (const path of ['', '/', '/x/1', '/99/1', '/1/-1', '/1/1/dance']) {
      expect((await ask(agent, `${server.url}${path}`)).status).toBe(400);
    }
  });
});
