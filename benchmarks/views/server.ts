/** A server that answers each request with 64 KiB from a memory of its own. The client is in the same process, and part of the time. */
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { measure, ratio, type Contender, type Measurement, type MeasureOptions } from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';

const WASM_PAGE = 65_536;
/** Requests under way at once. */
const CONCURRENCY = 16;
const SLOTS = 1000;

type Answer = (response: ServerResponse) => Promise<void>;

/** Times the servers against each other. */
export async function servers(options: MeasureOptions): Promise<readonly Measurement[]> {
  using module = describeMemory({ initial: 1, maximum: 1 });
  using pool = MemoryPool.create({
    totalMemories: SLOTS,
    maxMemorySize: WASM_PAGE,
    memoryReservation: WASM_PAGE,
    memoryGuardSize: WASM_PAGE,
    memoryProtectionKeys: 'disable',
  });
  const store = pool.openStore();
  const running = [
    await serve('Buffer.alloc', (response) => {
      response.end(Buffer.alloc(WASM_PAGE, 1));
      return Promise.resolve();
    }),
    await serve('memory.read: a copy', async (response) => {
      const memory = await store.allocateAsync({ module });
      memory.fill(1, 0, WASM_PAGE);
      response.end(memory.read(0, WASM_PAGE));
      memory.free();
    }),
    await serve('memory.buffer: safe, freed at once', async (response) => {
      const memory = await store.allocateAsync({ module });
      memory.fill(1, 0, WASM_PAGE);
      response.end(Buffer.from(memory.buffer));
      memory.free();
    }),
  ];
  const measured = await measure(
    running.map(({ contender }) => contender),
    options,
  );
  for (const { close } of running) close();
  return measured;
}

async function serve(name: string, answer: Answer): Promise<{ contender: Contender; close: () => void }> {
  const server = createServer((_request, response) => void answer(response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const client = async (requests: number) => {
    for (let i = 0; i < requests; i++) {
      const [response] = (await once(get({ port, agent }), 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
    }
  };
  const contender: Contender = {
    name,
    async time(iterations) {
      const start = process.hrtime.bigint();
      const each = Math.ceil(iterations / CONCURRENCY);
      await Promise.all(Array.from({ length: CONCURRENCY }, () => client(each)));
      return (Number(process.hrtime.bigint() - start) * iterations) / (each * CONCURRENCY);
    },
  };
  const close = () => {
    agent.destroy();
    server.close();
  };
  return { contender, close };
}

export function printServers(measurements: readonly Measurement[]): void {
  const [reference] = measurements;
  printTable(
    'A server that answers with 64 KiB',
    ['', 'a request', reference === undefined ? '' : `of "${reference.name}"`],
    measurements.map((measurement) => [
      measurement.name,
      duration(measurement.medianNs),
      reference === undefined ? '' : times(ratio(measurement, reference)),
    ]),
  );
}
