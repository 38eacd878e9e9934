/**
 * What the server serves: some tenants, each a WebAssembly module with a memory of 1 MiB that begins with 256 KiB of its own data. What
 * would be native code of theirs is a function here; it gets the memory of one request and nothing else.
 */
import { dataSection, exportSection, memorySection, moduleOf } from '@guardstripe/wasm-builder';

export const NUM_TENANTS = 8;

const WASM_PAGES = 16;
const DATA_BYTES = 256 * 1024;
/** Where a request counts itself. In a memory that is fresh there is nothing. */
const VISITS_AT = 512 * 1024;
const DIRTY_PAGES = 4;
const PAGE = 4096;

/** The module of a tenant: what V8 and the pool both take. */
export function moduleOfTenant(tenant: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(DATA_BYTES);
  for (let index = 0; index < DATA_BYTES; index++) data[index] = (index * 31 + tenant * 7) & 0xff;
  return moduleOf(
    memorySection({ minimum: WASM_PAGES }),
    exportSection(['memory', 2, 0]),
    dataSection({ memoryIndex: 0, data }),
  );
}

/** A request: reads the tenant's data, writes four pages. Says how often this memory was used, and what it found. */
export function handle(buffer: ArrayBuffer, request: number): string {
  const bytes = new Uint8Array(buffer);
  const visits = ++bytes[VISITS_AT]!;
  let sum = 0;
  for (let page = 0; page < DIRTY_PAGES; page++) {
    const at = ((request * 17 + page * 5) % (DATA_BYTES / PAGE)) * PAGE + (request % PAGE);
    sum += bytes[at]!;
    bytes[at] = 0xff ^ bytes[at]!;
  }
  return `${visits} ${sum}`;
}

/** What {@link handle} says of a memory that is as its module made it. */
export function expected(tenant: number, request: number): string {
  let sum = 0;
  for (let page = 0; page < DIRTY_PAGES; page++) {
    const at = ((request * 17 + page * 5) % (DATA_BYTES / PAGE)) * PAGE + (request % PAGE);
    sum += (at * 31 + tenant * 7) & 0xff;
  }
  return `1 ${sum}`;
}
