/**
 * An HTTP server on loopback whose requests are answered by worker threads:
 *
 *     GET /TENANT/NUMBER          what the tenant's function says of a fresh memory
 *     GET /TENANT/NUMBER/throw    the worker dies of it; /loop: it is terminated after a while
 *
 * A worker that ends takes its own requests with it, which are answered with 500, and another one is started. What it had of the shared
 * pool comes back by itself.
 */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describeModule, MemoryPool, type PoolModule } from '@guardstripe/memory-pool';
import type { Answer, Mode, Request, WorkerData } from './messages.ts';
import { moduleOfTenant, NUM_TENANTS } from './tenants.ts';

export interface ServerOptions {
  readonly mode: Mode;
  readonly workers: number;
  /** Slots of all pools together. */
  readonly totalSlots: number;
  /** When a request is taken for one that never ends. */
  readonly timeLimitMs: number;
}

/** A request that waits for its worker. */
interface Pending {
  readonly response: ServerResponse;
  readonly since: number;
}

/** A worker and what it works on, in the order in which it came. */
interface Seat {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  reused: number;
}

const HOW: readonly string[] = ['answer', 'throw', 'loop'] satisfies Request['how'][];

export class WorkerServer {
  readonly url: string;
  readonly #options: ServerOptions;
  readonly #http: Server;
  readonly #pool: MemoryPool | undefined;
  readonly #modules: readonly PoolModule[] = [];
  readonly #data: WorkerData;
  readonly #seats = new Set<Seat>();
  /** Workers that are not ready yet. Nobody terminates one that is only starting: see the guide. */
  readonly #starting = new Set<Promise<void>>();
  readonly #watch: NodeJS.Timeout;
  #nextId = 0;
  #died = 0;
  #reusedByTheDead = 0;
  #isClosing = false;

  private constructor(options: ServerOptions, http: Server) {
    const { mode, workers, totalSlots, timeLimitMs } = options;
    this.#options = options;
    this.#http = http;
    this.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const modules = Array.from({ length: NUM_TENANTS }, (_, tenant) => moduleOfTenant(tenant));
    if (mode === 'shared') {
      const pool = MemoryPool.create({ shared: true, totalMemories: totalSlots, maxMemorySize: 2 ** 20 });
      this.#pool = pool;
      this.#modules = modules.map((bytes) => describeModule(bytes));
      const lastTenants = new SharedArrayBuffer(totalSlots * Int32Array.BYTES_PER_ELEMENT);
      const handles = this.#modules.map(({ handle }) => handle);
      this.#data = { mode, pool: pool.share(), modules: handles, lastTenants };
    } else if (mode === 'pool-each') {
      this.#data = { mode, numSlots: Math.floor(totalSlots / workers), modules };
    } else {
      this.#data = { mode, modules: modules.map((bytes) => new WebAssembly.Module(bytes)) };
    }
    http.on('request', (request, response) => this.#serve(request.url ?? '', response));
    this.#watch = setInterval(() => this.#endWhatIsStuck(), timeLimitMs / 4);
  }

  /** Starts it on a free port, with all workers ready. */
  static async start(options: ServerOptions): Promise<WorkerServer> {
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    const server = new WorkerServer(options, http);
    await Promise.all(Array.from({ length: options.workers }, () => server.#add()));
    return server;
  }

  /** Workers that ended before they were told to. */
  get died(): number {
    return this.#died;
  }

  /** Requests that came to a slot where the same tenant's memory had been. */
  get reused(): number {
    return [...this.#seats].reduce((sum, { reused }) => sum + reused, this.#reusedByTheDead);
  }

  /** Workers that are ready. */
  get workers(): number {
    return this.#seats.size;
  }

  /** Live memories of the shared pool, in all threads. */
  get liveMemories(): number {
    return this.#pool?.metrics().liveMemories ?? 0;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#watch);
    this.#http.close();
    this.#http.closeAllConnections();
    await Promise.all(this.#starting);
    await Promise.all([...this.#seats].map(({ worker }) => worker.terminate()));
    this.#pool?.close({ force: true });
    for (const module of this.#modules) module.close();
  }

  /** Starts a worker; settles when it is ready. */
  #add(): Promise<void> {
    const ready = this.#sit().finally(() => this.#starting.delete(ready));
    this.#starting.add(ready);
    return ready;
  }

  async #sit(): Promise<void> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: this.#data,
      stderr: true,
    });
    const seat: Seat = { worker, pending: new Map(), reused: 0 };
    // The exit says it again.
    worker.on('error', () => undefined);
    worker.once('exit', () => this.#stand(seat));
    await once(worker, 'message');
    worker.on('message', ({ id, text, reused }: Answer) => {
      seat.reused = reused;
      seat.pending.get(id)?.response.end(text);
      seat.pending.delete(id);
    });
    this.#seats.add(seat);
  }

  /** A worker has ended: what it had in hand is lost, and another one takes its seat. */
  #stand(seat: Seat): void {
    this.#seats.delete(seat);
    for (const { response } of seat.pending.values()) response.writeHead(500).end('the worker ended');
    if (this.#isClosing) return;
    this.#died++;
    this.#reusedByTheDead += seat.reused;
    void this.#add();
  }

  #serve(url: string, response: ServerResponse): void {
    const [, tenantText, requestText, how = 'answer'] = url.split('/');
    const [tenant, request] = [Number(tenantText), Number(requestText)];
    const isNumbered = [tenant, request].every((part) => Number.isSafeInteger(part) && part >= 0);
    if (!isNumbered || tenant >= NUM_TENANTS || !HOW.includes(how)) {
      response.writeHead(400).end();
      return;
    }
    const seat = this.#leastBusy();
    if (seat === undefined) {
      response.writeHead(503).end();
      return;
    }
    const id = this.#nextId++;
    seat.pending.set(id, { response, since: performance.now() });
    seat.worker.postMessage({ id, tenant, request, how: how as Request['how'] } satisfies Request);
  }

  /** Workers answer in the order in which they were asked: so it is the first that holds the others up. */
  #endWhatIsStuck(): void {
    const limit = performance.now() - this.#options.timeLimitMs;
    for (const { worker, pending } of this.#seats) {
      const [first] = pending.values();
      if (first !== undefined && first.since < limit) void worker.terminate();
    }
  }

  #leastBusy(): Seat | undefined {
    let least: Seat | undefined;
    for (const seat of this.#seats) {
      if (least === undefined || seat.pending.size < least.pending.size) least = seat;
    }
    return least;
  }
}
