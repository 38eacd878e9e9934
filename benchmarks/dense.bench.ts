/**
 * Holds 200,000 live memories of 1 MiB in one pool at the default `vm.max_map_count`, each with a page of its own written and read
 * back, and shows that the page behind each is closed. Linux 6.13; some 2 GiB of memory.
 *
 *     node dense.bench.ts [--memories 200000] [--json FILE] [--quick]
 */
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMemory, MemoryPool, type PooledMemory } from '@guardstripe/memory-pool';
import { host, platform } from '@guardstripe/mmap';
import { describeMachine, printMachine } from './support/machine.ts';
import { duration, printTable } from './support/table.ts';
import { WASM_PAGE } from './support/wasm-module.ts';

const MIB = 2 ** 20;
const { values: args } = parseArgs({
  options: {
    memories: { type: 'string', default: '200000' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const wanted = args.quick ? 2000 : Number(args.memories);
const machine = describeMachine();
printMachine(machine);
if (!platform().canGuardPages) throw new Error('This kernel has no MADV_GUARD_INSTALL (Linux 6.13 has)');

/** The n-th memory's page: a number that no other has, at a place that moves. */
const mark = (n: number) => Buffer.from(`memory ${n} of ${wanted}`);
const placeOf = (n: number) => ((n * 97) % (WASM_PAGE - 64)) | 0;

const startedAt = process.hrtime.bigint();
using pool = MemoryPool.create({
  totalMemories: wanted,
  maxMemorySize: MIB,
  memoryReservation: MIB,
  memoryGuardSize: WASM_PAGE,
  memoryProtectionKeys: 'disable',
  ...(args.quick && { guardPages: 'enable' as const }),
});
using module = describeMemory({ initial: 1, maximum: MIB / WASM_PAGE });
const store = pool.openStore();
const memories: PooledMemory[] = [];
for (let n = 0; n < wanted; n++) {
  const memory = store.allocate({ module });
  memory.write(placeOf(n), mark(n));
  memories.push(memory);
}
const allocatedNs = Number(process.hrtime.bigint() - startedAt);
let verified = 0;
const byte = new Uint8Array(1);
for (const [n, memory] of memories.entries()) {
  const expected = mark(n);
  if (Buffer.compare(memory.read(placeOf(n), expected.byteLength), expected) !== 0) continue;
  // The kernel reads for us, and answers EFAULT where a processor would raise a signal.
  if (isOpen(memory.address + WASM_PAGE - 1) && !isOpen(memory.address + WASM_PAGE)) verified++;
}
const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;
const kib = (name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const [residentKiB, pageTablesKiB] = [kib('VmRSS'), kib('VmPTE')];
const freedAt = process.hrtime.bigint();
store.dispose();
const freedNs = Number(process.hrtime.bigint() - freedAt);

printTable(
  `Live at once, of ${wanted.toLocaleString('en')}`,
  ['verified', 'mappings', 'vm.max_map_count', 'resident', 'page tables', 'allocate and write', 'free'],
  [
    [
      verified.toLocaleString('en'),
      mappings.toLocaleString('en'),
      String(host().maxMapCount),
      `${(residentKiB / 1024).toFixed(0)} MiB`,
      `${(pageTablesKiB / 1024).toFixed(0)} MiB`,
      duration(allocatedNs / wanted),
      duration(freedNs / wanted),
    ],
  ],
);
if (args.json !== undefined) {
  const file = resolve(args.json);
  mkdirSync(dirname(file), { recursive: true });
  const when = new Date().toISOString();
  const result = {
    when,
    machine,
    wanted,
    verified,
    mappings,
    residentKiB,
    pageTablesKiB,
    allocatedNs,
    freedNs,
  };
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`\nWritten to ${args.json}`);
}
if (verified < wanted) throw new Error(`Only ${verified} of ${wanted} memories were held and closed`);

function isOpen(address: number): boolean {
  try {
    platform().readBytes(address, byte);
    return true;
  } catch {
    return false;
  }
}
