/** The requests: each is served by a fresh instance, natively or in V8, by the same JavaScript. */
import { createHash } from 'node:crypto';
import type { BuiltGuest } from '../src/compile.ts';
import type { GuestMemory } from '../src/guest-exports.ts';
import { faultsGuest, realGuests } from '../src/guests.ts';
import type { HostFunctions } from '../src/guest-module.ts';

/** What an instance of either kind has. */
export interface Instance {
  readonly exports: object;
}

export interface Work {
  readonly name: string;
  readonly guest: BuiltGuest;
  readonly imports: HostFunctions;
  /** Serves one request and returns what came out; the same for every instance. */
  serve(instance: Instance): string | number;
}

type Exports = Record<string, (...args: number[]) => number> & { readonly memory: GuestMemory };

const KIB = 1024;
const CHUNK_BYTES = 16 * KIB;

export async function works(): Promise<readonly Work[]> {
  const faults = await faultsGuest();
  const real = await realGuests();
  const find = (name: string): BuiltGuest => {
    const guest = real.find((guest) => guest.name === name);
    if (guest === undefined) throw new RangeError(`No guest ${name}`);
    return guest;
  };
  return [
    {
      name: 'tiny: write and sum up 16 bytes',
      guest: faults,
      imports: { env: { ask: Math.abs } },
      serve: ({ exports }) => (exports as Exports)['work']?.(16, 1) ?? 0,
    },
    sha256('small: SHA-256 of 1 KiB', find('hash-wasm-sha256'), KIB),
    sha256('medium: SHA-256 of 64 KiB', find('hash-wasm-sha256'), 64 * KIB),
    sha256('larger: SHA-256 of 1 MiB', find('hash-wasm-sha256'), KIB * KIB),
    argon2(find('hash-wasm-argon2')),
    sourceMap(find('source-map')),
  ];
}

function sha256(name: string, guest: BuiltGuest, bytes: number): Work {
  const data = Buffer.alloc(bytes, 'guardstripe');
  const expected = createHash('sha256').update(data).digest('hex');
  return {
    name,
    guest,
    imports: {},
    serve: (instance) => {
      const exports = instance.exports as Exports;
      const address = (exports['Hash_GetBuffer']?.() ?? 0) >>> 0;
      const buffer = new Uint8Array(exports.memory.buffer, address, CHUNK_BYTES);
      exports['Hash_Init']?.(256);
      for (let at = 0; at < bytes; at += CHUNK_BYTES) {
        const chunk = data.subarray(at, at + CHUNK_BYTES);
        buffer.set(chunk);
        exports['Hash_Update']?.(chunk.length);
      }
      exports['Hash_Final']?.(0);
      const digest = Buffer.from(exports.memory.buffer, address, 32).toString('hex');
      if (digest !== expected) throw new Error(`${name}: ${digest} instead of ${expected}`);
      return digest;
    },
  };
}

/** Grows its memory from inside, and writes to all of it. */
function argon2(guest: BuiltGuest): Work {
  const kibibytes = 1024;
  const blocks = createHash('shake128', { outputLength: 2 * KIB })
    .update('guardstripe')
    .digest();
  return {
    name: 'larger, growing: Argon2 over 1 MiB',
    guest,
    imports: {},
    serve: (instance) => {
      const exports = instance.exports as Exports;
      exports['Hash_GetBuffer']?.(); // makes the buffer, which the next call sizes
      exports['Hash_SetMemorySize']?.(kibibytes * KIB + KIB);
      const address = (exports['Hash_GetBuffer']?.() ?? 0) >>> 0;
      const vector = Int32Array.of(1, 32, kibibytes, 1, 0x13, 2);
      const buffer = new Uint8Array(exports.memory.buffer, address, kibibytes * KIB + KIB);
      buffer.set(new Uint8Array(vector.buffer), kibibytes * KIB);
      buffer.set(blocks);
      exports['Hash_Calculate']?.(0, kibibytes);
      return Buffer.from(exports.memory.buffer, address, 32).toString('hex');
    },
  };
}

/** Calls back for every mapping: 2,000 times. */
function sourceMap(guest: BuiltGuest): Work {
  const text = Array.from({ length: 200 }, () => Array.from({ length: 10 }, () => 'CAAC').join(',')).join(
    ';',
  );
  let heard = 0;
  return {
    name: 'chatty: 2,000 source mappings',
    guest,
    imports: { env: { mapping_callback: () => void heard++ } },
    serve: (instance) => {
      const exports = instance.exports as Exports;
      heard = 0;
      const buffer = (exports['allocate_mappings']?.(text.length) ?? 0) >>> 0;
      Buffer.from(exports.memory.buffer).write(text, buffer, 'latin1');
      const parsed = (exports['parse_mappings']?.(buffer) ?? 0) >>> 0;
      exports['by_generated_location']?.(parsed);
      return heard;
    },
  };
}
