/** argon2-browser: the same hashes as in V8, in a memory that starts with 16 MiB. */
import { expect, it } from 'vitest';
import { describeGuests, realGuest, smallPool } from './support/prepared.ts';
import { RandomBytes } from './support/random.ts';
import { type Twin, Twins } from './support/twins.ts';

const NUM_INPUTS = 1000;

/** The module's exports have one letter each; `dist/argon2.js` in the package says which is which. */
const EXPORTS = { start: 'd', malloc: 'f', free: 'g', hash: 'l' } as const;

const write = (twin: Twin, bytes: Uint8Array): number => {
  const address = twin.call(EXPORTS.malloc, bytes.length + 1) >>> 0;
  new Uint8Array(twin.memory.buffer).set(bytes, address);
  return address;
};

function hash(twin: Twin, random: RandomBytes): string {
  const [password, salt] = [random.bytes(random.integer(40)), random.bytes(8 + random.integer(16))];
  const hashBytes = 4 + random.integer(40);
  const [kibibytes, passes, type] = [8 + random.integer(24), 1 + random.integer(2), random.integer(3)];
  const addresses = [write(twin, password), write(twin, salt), write(twin, new Uint8Array(hashBytes))];
  const [passwordAt = 0, saltAt = 0, hashAt = 0] = addresses;
  const input = [passes, kibibytes, 1, passwordAt, password.length, saltAt, salt.length];
  const status = twin.call(EXPORTS.hash, ...input, hashAt, hashBytes, 0, 0, type, 0, 0, 0, 0, 0x13);
  const bytes = Buffer.from(twin.memory.buffer, hashAt, hashBytes).toString('hex');
  for (const address of addresses) twin.call(EXPORTS.free, address);
  return `${status}: ${bytes}`;
}

describeGuests('argon2-browser, natively', () => {
  it('hashes as V8 does', () => {
    using pool = smallPool();
    using twins = new Twins(realGuest('argon2-browser'), pool, (twin) => ({
      a: {
        // emscripten_memcpy_big and emscripten_resize_heap
        a: (to: number, from: number, bytes: number) => {
          new Uint8Array(twin().memory.buffer).copyWithin(to >>> 0, from >>> 0, (from >>> 0) + bytes);
          return to;
        },
        b: () => 0,
      },
    }));
    for (const twin of [twins.native, twins.v8]) twin.call(EXPORTS.start);
    const hashes = new Set<string>();
    for (let n = 0; n < NUM_INPUTS; n++) {
      const native = hash(twins.native, new RandomBytes(n));
      const v8 = hash(twins.v8, new RandomBytes(n));
      if (native !== v8) expect.fail(`input ${n}: ${native} natively, ${v8} in V8`);
      expect(native).toMatch(/^0: /);
      hashes.add(native);
    }
    expect(hashes.size).toBe(NUM_INPUTS);
  });
});
