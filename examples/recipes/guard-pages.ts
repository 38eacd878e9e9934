/**
 * Guard pages around a buffer that native code writes to: the first byte too many ends the process at the instruction
 * that writes it, instead of changing a neighbour that somebody misses hours later.
 *
 *     | no access |        lead | the buffer | no access |
 *                                            ^ ends where the guard begins: an overrun of one byte is enough
 *
 * The bug is a classic: a name of 16 letters is copied into 16 bytes, and `strcpy` writes its final zero behind them.
 */
import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { host, Mmap } from '@guardstripe/mmap';
import { load } from 'koffi';

const NAME_BYTES = 16;

interface NativeBuffer extends Disposable {
  /** What the native function is given. */
  readonly address: number;
  /** The same bytes for JavaScript. */
  readonly bytes: Uint8Array;
}

/** A buffer with a page without access on either side. Its address is a multiple of 16 if `numBytes` is. */
function guardedBuffer(numBytes: number): NativeBuffer {
  const { pageSize } = host();
  const bodyBytes = Math.ceil(numBytes / pageSize) * pageSize;
  const map = Mmap.reserve(pageSize + bodyBytes + pageSize);
  map.makeAccessible(pageSize, bodyBytes);
  const offset = pageSize + bodyBytes - numBytes;
  return {
    address: map.address + offset,
    bytes: new Uint8Array(map.view(offset, numBytes)),
    [Symbol.dispose]: () => map.close(),
  };
}

/** What a heap does: the buffer lies right before somebody else's bytes. */
function plainBuffer(numBytes: number, neighbour: string): NativeBuffer & { readonly neighbour: Uint8Array } {
  const map = Mmap.anonymous(host().pageSize);
  const neighbourBytes = new Uint8Array(map.view(numBytes, neighbour.length));
  neighbourBytes.set(Buffer.from(neighbour));
  return {
    address: map.address,
    bytes: new Uint8Array(map.view(0, numBytes)),
    neighbour: neighbourBytes,
    [Symbol.dispose]: () => map.close(),
  };
}

/** The native function with the bug. Stands for any call through FFI; `writeSync`, for the lines must be out before it dies. */
function callNative(buffer: NativeBuffer): void {
  const strcpy = load(null).func('void strcpy(uintptr_t to, const char *from)');
  writeSync(1, `  calling strcpy: 16 letters and a zero into ${buffer.bytes.length} bytes\n`);
  strcpy(buffer.address, 'Guardstripe 0001');
  writeSync(1, `  strcpy returned; the name is ${Buffer.from(buffer.bytes).toString()}\n`);
}

function withoutGuards(): void {
  using buffer = plainBuffer(NAME_BYTES, 'PAID');
  callNative(buffer);
  writeSync(
    1,
    `  the neighbour was "PAID" and is ${JSON.stringify(Buffer.from(buffer.neighbour).toString())}\n`,
  );
}

function withGuards(): void {
  using buffer = guardedBuffer(NAME_BYTES);
  callNative(buffer);
}

/** The overrun must not end this process, so it happens in a child. */
function inChild(kind: 'plain' | 'guarded'): void {
  console.log(`${kind} buffer`);
  const { status, signal } = spawnSync(process.execPath, [import.meta.filename, kind], { stdio: 'inherit' });
  console.log(
    signal === null
      ? `  ended with exit code ${status}: nobody noticed`
      : `  ended by ${signal}, inside strcpy`,
  );
  process.exitCode ||= signal === (kind === 'guarded' ? 'SIGSEGV' : null) ? 0 : 1;
}

switch (process.argv[2]) {
  case 'plain':
    withoutGuards();
    break;
  case 'guarded':
    withGuards();
    break;
  default:
    inChild('plain');
    inChild('guarded');
}
