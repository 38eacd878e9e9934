/**
 * A codec whose heap grows with the largest image that it ever saw, and stays so: a WebAssembly memory never shrinks. Restored
 * after each image, its pages go back to the system; the address space stays.
 *
 * What others do is beside it: make a new instance now and then.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { snapshot } from '@guardstripe/snapshot';
import { encode, initSync } from '@jsquash/png/codec/pkg/squoosh_png.js';

import { line, medianMs } from './src/timing.ts';

const wasm = readFileSync(
  createRequire(import.meta.url).resolve('@jsquash/png/codec/pkg/squoosh_png_bg.wasm'),
);
const { memory } = initSync(wasm) as { memory: WebAssembly.Memory };

/** Encodes an image of one colour. The result is copied out by the wrapper. */
function png(side: number): Uint8Array {
  return encode(new Uint8Array(side * side * 4).fill(200), side, side, 8);
}

const residentMib = (): number => {
  const text = /^Anonymous:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1];
  globalThis.gc?.();
  return Math.round(Number(text) / 1024);
};

const small = png(64);
using fresh = snapshot(memory);

let most = 0;
for (let round = 0; round < 6; round++) {
  png(3000);
  most = Math.max(most, residentMib());
  fresh.restore();
  assert.deepEqual(png(64), small);
  fresh.restore();
}
const after = residentMib();
console.log(
  `memory of the codec: ${memory.buffer.byteLength >> 20} MiB of addresses, ${fresh.savedBytes >> 10} KiB saved`,
);
console.log(
  `resident: at most ${most} MiB, ${after} MiB after restores; ${fresh.changedBytes()} bytes differ`,
);
assert.ok(most - after > 30, 'the pages of the large images went back');

line(`a small image, restored (${fresh.method})`, await medianMs(200, () => (png(64), fresh.restore())));
line(
  'the same in a new instance',
  await medianMs(20, () => (initSync(new WebAssembly.Module(wasm)), png(64))),
);
