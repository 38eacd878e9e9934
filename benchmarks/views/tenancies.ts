/** Tenancies of 1 MiB that write 64 bytes and read them, in each way; and one copy of 64 bytes alone. */
import { describeMemory, MemoryPool, type PooledMemory, type PoolModule } from '@guardstripe/memory-pool';
import {
  inProcess,
  measure,
  ratio,
  type Contender,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';

const MIB = 2 ** 20;
const WASM_PAGE = 65_536;
const BYTES = 64;
/** A pool that runs out has the engine collect, for as much of the time as it may. */
const SHARE = 0.5;

const REFERENCE = 'no view: read and write';

/** Times the ways against each other. */
export async function views(options: MeasureOptions): Promise<readonly Measurement[]> {
  using module = describeMemory({ initial: MIB / WASM_PAGE, maximum: MIB / WASM_PAGE });
  const pools: MemoryPool[] = [];
  const open = (totalMemories: number) => {
    const pool = MemoryPool.create({
      totalMemories,
      maxMemorySize: MIB,
      memoryReservation: MIB,
      memoryGuardSize: WASM_PAGE,
      memoryProtectionKeys: 'disable',
      maxCollectionShare: SHARE,
    });
    pools.push(pool);
    return pool;
  };
  const bytes = new Uint8Array(BYTES).fill(7);
  const writeAndRead = (view: Uint8Array) => {
    view.set(bytes, 4096);
    bytes.set(view.subarray(4096, 4096 + BYTES));
  };
  const contenders = [
    tenancy(REFERENCE, open(16), module, (memory) => {
      memory.write(4096, bytes);
      memory.readInto(bytes, 4096);
    }),
    tenancy('unsafeBuffer', open(16), module, (memory) => writeAndRead(new Uint8Array(memory.unsafeBuffer))),
    ...[100, 1000, 10_000].map((slots) =>
      waiting(`buffer, ${slots} slots`, open(slots), module, writeAndRead),
    ),
    inProcess('new WebAssembly.Memory', (iterations) => {
      for (let i = 0; i < iterations; i++) {
        writeAndRead(new Uint8Array(new WebAssembly.Memory({ initial: MIB / WASM_PAGE }).buffer));
      }
    }),
    ...copies(open(1), module, bytes),
  ];
  const measured = await measure(contenders, options);
  for (const pool of pools) pool.close({ force: true });
  return measured;
}

function tenancy(
  name: string,
  pool: MemoryPool,
  module: PoolModule,
  use: (memory: PooledMemory) => void,
): Contender {
  const store = pool.openStore();
  return inProcess(name, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const memory = store.allocate({ module });
      use(memory);
      memory.free();
    }
  });
}

/** Safe views: a slot cools until it is collected, and a pool that runs out is waited for. */
function waiting(
  name: string,
  pool: MemoryPool,
  module: PoolModule,
  use: (view: Uint8Array) => void,
): Contender {
  const store = pool.openStore();
  return {
    name,
    async time(iterations) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < iterations; i++) {
        const memory = await store.allocateAsync({ module });
        use(new Uint8Array(memory.buffer));
        memory.free();
      }
      return Number(process.hrtime.bigint() - start);
    },
  };
}

function copies(pool: MemoryPool, module: PoolModule, bytes: Uint8Array): Contender[] {
  const memory = pool.openStore().allocate({ module });
  const alone = (name: string, copy: () => void) =>
    inProcess(`64 bytes: ${name}`, (iterations) => {
      for (let i = 0; i < iterations; i++) copy();
    });
  return [
    alone('read', () => memory.read(100, BYTES)),
    alone('readInto', () => memory.readInto(bytes, 100)),
    alone('write', () => memory.write(100, bytes)),
    alone('fill', () => memory.fill(1, 100, BYTES)),
  ];
}

export function printViews(measurements: readonly Measurement[]): void {
  const reference = measurements.find(({ name }) => name === REFERENCE);
  printTable(
    'A tenancy of 1 MiB that writes and reads 64 bytes; the last four are one copy alone',
    ['', 'median', `of "${REFERENCE}"`],
    measurements.map((measurement) => [
      measurement.name,
      duration(measurement.medianNs),
      reference === undefined ? '' : times(ratio(measurement, reference)),
    ]),
  );
}
