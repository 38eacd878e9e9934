/** hash-wasm's modules: the same digests as in V8, for a thousand random inputs each in CI. */
import { createHash } from 'node:crypto';
import { laps } from '@guardstripe/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MemoryPool } from '@guardstripe/memory-pool';
import { describeGuests, guests, realGuest, smallPool } from './support/prepared.ts';
import { RandomBytes } from './support/random.ts';
import { type Twin, Twins } from './support/twins.ts';

const NUM_INPUTS = laps(1000);

/** What one input is turned into. */
type Driver = (twin: Twin, random: RandomBytes) => Uint8Array;

interface Hash {
  readonly digestBytes: number;
  /** The argument of `Hash_Init`. */
  readonly init?: (random: RandomBytes) => number;
  /** The argument of `Hash_Final`. */
  readonly final?: number;
}

/** hash-wasm's buffer for one piece of input. */
const CHUNK_BYTES = 16 * 1024;
/** Where some modules look for a seed, key or polynomial at `Hash_Init`. */
const SEED_BYTES = 64;

const HASHES: Readonly<Record<string, Hash>> = {
  adler32: { digestBytes: 4 },
  blake2b: { digestBytes: 64, init: (random) => 8 * (1 + random.integer(64)) },
  blake2s: { digestBytes: 32, init: (random) => 8 * (1 + random.integer(32)) },
  blake3: { digestBytes: 32, init: (random) => 32 * random.integer(2), final: 32 },
  crc32: { digestBytes: 4, init: (random) => random.integer(2 ** 32) },
  crc64: { digestBytes: 8 },
  md4: { digestBytes: 16 },
  md5: { digestBytes: 16 },
  ripemd160: { digestBytes: 20 },
  sha1: { digestBytes: 20 },
  sha256: { digestBytes: 32, init: (random) => [224, 256][random.integer(2)] ?? 256 },
  sha3: { digestBytes: 64, init: (random) => [224, 256, 384, 512][random.integer(4)] ?? 256, final: 0x06 },
  sha512: { digestBytes: 64, init: (random) => [384, 512][random.integer(2)] ?? 512 },
  sm3: { digestBytes: 32 },
  whirlpool: { digestBytes: 64 },
  xxhash128: { digestBytes: 16 },
  xxhash3: { digestBytes: 8 },
  xxhash32: { digestBytes: 4, init: (random) => random.integer(2 ** 32) },
  xxhash64: { digestBytes: 8 },
};

/** Most inputs are short; some do not fit into one piece. */
function input(random: RandomBytes): Uint8Array {
  return random.bytes(random.integer(100) === 0 ? random.integer(3 * CHUNK_BYTES) : random.integer(400));
}

function hash({ digestBytes, init, final = 0 }: Hash): Driver {
  return (twin, random) => {
    const buffer = new Uint8Array(twin.memory.buffer, twin.call('Hash_GetBuffer') >>> 0);
    buffer.set(random.bytes(SEED_BYTES));
    twin.call('Hash_Init', init?.(random) ?? 0);
    const data = input(random);
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      const chunk = data.subarray(at, at + CHUNK_BYTES);
      buffer.set(chunk);
      twin.call('Hash_Update', chunk.length);
    }
    twin.call('Hash_Final', final);
    return buffer.slice(0, digestBytes);
  };
}

/** A buffer of the size; the module grows its memory where it must. */
function sizedBuffer(twin: Twin, bytes: number): Uint8Array {
  twin.call('Hash_GetBuffer'); // makes the buffer, which the next call sizes
  twin.call('Hash_SetMemorySize', bytes);
  // First, for it may grow the memory, which detaches the buffer.
  const address = twin.call('Hash_GetBuffer') >>> 0;
  return new Uint8Array(twin.memory.buffer, address, bytes);
}

const argon2: Driver = (twin, random) => {
  const kibibytes = 8 + random.integer(40);
  const buffer = sizedBuffer(twin, kibibytes * 1024 + 1024);
  const vector = Int32Array.of(1, 32, kibibytes, 1 + random.integer(2), 0x13, random.integer(3));
  buffer.set(new Uint8Array(vector.buffer), kibibytes * 1024);
  buffer.set(random.bytes(2048));
  twin.call('Hash_Calculate', 0, kibibytes);
  return buffer.slice(0, 1024);
};

const scrypt: Driver = (twin, random) => {
  const blockSize = 1 + random.integer(8);
  const cost = 2 ** (1 + random.integer(5));
  const blocks = random.bytes(128 * blockSize);
  const buffer = sizedBuffer(twin, blocks.length + 128 * blockSize * cost + 256 * blockSize);
  buffer.set(blocks);
  twin.call('scrypt', blockSize, cost, 1);
  return buffer.slice(0, blocks.length);
};

const bcrypt: Driver = (twin, random) => {
  const buffer = new Uint8Array(twin.memory.buffer, twin.call('Hash_GetBuffer') >>> 0);
  const password = random.bytes(random.integer(72));
  buffer.set(random.bytes(16));
  buffer.set(password, 16);
  twin.call('bcrypt', password.length, 4, random.integer(2));
  return buffer.slice(0, 60);
};

const DRIVERS: Readonly<Record<string, Driver>> = {
  ...Object.fromEntries(Object.entries(HASHES).map(([name, each]) => [name, hash(each)])),
  argon2,
  scrypt,
  bcrypt,
};

describeGuests('hash-wasm, natively', () => {
  let pool: MemoryPool;
  beforeAll(() => {
    pool = smallPool();
  });
  afterAll(() => pool?.close({ force: true }));

  it('has all its modules here', () => {
    const names = guests()
      .real.map(({ name }) => name)
      .filter((name) => name.startsWith('hash-wasm-'));
    expect(names.toSorted()).toEqual(
      Object.keys(DRIVERS)
        .map((name) => `hash-wasm-${name}`)
        .toSorted(),
    );
  });

  it.each(Object.entries(DRIVERS))('%s', (name, driver) => {
    using twins = new Twins(realGuest(`hash-wasm-${name}`), pool);
    const digests = new Set<string>();
    for (let n = 0; n < NUM_INPUTS; n++) {
      const [native, v8] = [twins.native, twins.v8].map((twin) =>
        Buffer.from(driver(twin, new RandomBytes(n))).toString('hex'),
      );
      if (native !== v8) expect.fail(`input ${n}: ${native} natively, ${v8} in V8`);
      digests.add(native ?? '');
    }
    // A driver that hashed nothing would agree with itself, too.
    expect(digests.size).toBeGreaterThan(0.95 * NUM_INPUTS);
  });

  it('agrees with Node, too', () => {
    using twins = new Twins(realGuest('hash-wasm-sha256'), pool);
    const random = new RandomBytes(1);
    for (let n = 0; n < 100; n++) {
      const data = random.bytes(n);
      const buffer = new Uint8Array(twins.native.memory.buffer, twins.native.call('Hash_GetBuffer') >>> 0);
      buffer.set(data);
      twins.native.call('Hash_Calculate', data.length, 256, 0);
      const digest = Buffer.from(buffer.slice(0, 32)).toString('hex');
      expect(digest).toBe(createHash('sha256').update(data).digest('hex'));
    }
  });
});
