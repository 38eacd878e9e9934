/** A load run: clients that ask for one tenant after the other, and workers that die of some requests. */
import { Agent, get } from 'node:http';
import { expected, NUM_TENANTS } from './tenants.ts';
import type { WorkerServer } from './server.ts';

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds, ascending; of answers. */
  readonly latenciesMs: readonly number[];
  /** Answers that were not what they should be: another request's bytes, or a memory that was used before. */
  readonly wrong: number;
  /** Requests that a worker's end took along. */
  readonly lost: number;
}

export interface LoadOptions {
  readonly seconds: number;
  readonly clients: number;
  /** So many requests kill their worker, one after the other, evenly over the time. */
  readonly kills: number;
}

/** Sends requests for as long as asked. */
export async function runLoad({ url }: WorkerServer, options: LoadOptions): Promise<LoadResult> {
  const { seconds, clients, kills } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: clients + 1 });
  const latenciesMs: number[] = [];
  let [wrong, lost, next] = [0, 0, 0];
  const start = performance.now();
  const isOver = () => performance.now() - start >= seconds * 1000;
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const request = next++;
      const tenant = (request * 5 + (request >> 3)) % NUM_TENANTS;
      const sent = performance.now();
      const { status, text } = await ask(agent, `${url}/${tenant}/${request}`);
      if (status === 200) {
        latenciesMs.push(performance.now() - sent);
        if (text !== expected(tenant, request)) wrong++;
      } else if (status === 500 || status === 503) lost++;
      else wrong++;
    }
  };
  const killer = async (): Promise<void> => {
    for (let n = 0; n < kills; n++) {
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / (kills + 1)));
      await ask(agent, `${url}/${n % NUM_TENANTS}/${n}/${n % 2 === 0 ? 'throw' : 'loop'}`);
    }
  };
  await Promise.all([killer(), ...Array.from({ length: clients }, client)]);
  agent.destroy();
  latenciesMs.sort((a, b) => a - b);
  return {
    requests: latenciesMs.length,
    seconds: (performance.now() - start) / 1000,
    latenciesMs,
    wrong,
    lost,
  };
}

export function ask(agent: Agent, url: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });
}
