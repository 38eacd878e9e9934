/**
 * An in-memory database that every test finds as new. The fixture is built once; its bytes become an image, and each test
 * gets a memory that maps it copy-on-write. What a test writes is gone after it, whether it passed or not.
 *
 *     build the fixture once ──▶ describeMemory ──▶ beforeEach: allocate ──▶ test ──▶ afterEach: free
 *
 * The database is a table of ours in `src/byte-table.ts`; any database will do whose state is one stretch of bytes, such as
 * the memory of one that is compiled to native code.
 */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { describeMemory, MemoryPool, type PooledMemory } from '@guardstripe/memory-pool';
import { ByteTable } from './src/byte-table.ts';

const USERS = 10_000;
const DATABASE_BYTES = 2 ** 20;
const WASM_PAGE_BYTES = 65_536;

function buildFixture(): Uint8Array {
  const buffer = new ArrayBuffer(DATABASE_BYTES);
  const table = new ByteTable(buffer);
  for (let user = 0; user < USERS; user += 1) table.set(`user:${user}`, JSON.stringify({ credit: 100 }));
  return new Uint8Array(buffer);
}

const start = performance.now();
const fixture = buildFixture();
const buildMilliseconds = performance.now() - start;

const pool = MemoryPool.create({
  totalMemories: 8,
  maxMemorySize: DATABASE_BYTES,
  memoryReservation: DATABASE_BYTES,
  linearMemoryKeepResident: DATABASE_BYTES,
});
const module = describeMemory({ initial: DATABASE_BYTES / WASM_PAGE_BYTES, contents: fixture });
const store = pool.openStore();

let memory: PooledMemory;
let database: ByteTable;
let resetMilliseconds = 0;

beforeEach(() => {
  const start = performance.now();
  memory = store.allocate({ module });
  database = new ByteTable(memory.unsafeBuffer);
  resetMilliseconds += performance.now() - start;
});

afterEach(() => {
  const start = performance.now();
  memory.free();
  resetMilliseconds += performance.now() - start;
});

await test('a user spends all credit', () => {
  assert.equal(database.get('user:7'), '{"credit":100}');
  database.set('user:7', '{"credit":0}');
  assert.equal(database.get('user:7'), '{"credit":0}');
});

await test('the next test finds the credit there again', () => {
  assert.equal(database.get('user:7'), '{"credit":100}');
});

await test('a user signs up', () => {
  database.set('user:new', '{"credit":0}');
  assert.equal(database.rows, USERS + 1);
});

await test('the next test finds the old number of users', () => {
  assert.equal(database.rows, USERS);
  assert.equal(database.get('user:new'), undefined);
});

await test('a test destroys the database', () => {
  new Uint8Array(memory.unsafeBuffer).fill(0xff);
});

await test('the next test finds every byte of the fixture', () => {
  assert.ok(Buffer.from(memory.unsafeBuffer).equals(fixture));
});

after(() => {
  const { scan, write, decommit } = pool.metrics().resets;
  const numResets = scan + write + decommit;
  module.close();
  pool.close();
  process.once('exit', () => {
    console.log(
      `fixture: ${USERS} users in ${fixture.length} bytes, built once in ${buildMilliseconds.toFixed(1)} ms`,
    );
    console.log(`resets:  ${numResets}, ${(resetMilliseconds / numResets).toFixed(2)} ms each`);
  });
});
