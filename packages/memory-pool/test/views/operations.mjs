/**
 * What may still use a memory's buffer when the memory is freed. Each entry starts something with it, and gives back a promise of the
 * bytes that came out of the buffer, if any do: bytes that the next tenant wrote must not be among them, and what goes into the
 * buffer must not meet the next tenant.
 *
 * `left` is what the pool must make of the slot: by default it cools until the buffer is collected; `'retired'` because the buffer was
 * stolen; `'either'` where some versions of Node refuse to take it.
 */
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer as bytesOf } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { MessageChannel, markAsUntransferable, receiveMessageOnPort } from 'node:worker_threads';
import zlib from 'node:zlib';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What files that are read hold, and what late writers write. */
const FROM_FILE = 0xcc;
const { subtle } = globalThis.crypto;

let numFiles = 0;
const temporary = fs.mkdtempSync(join(tmpdir(), 'guardstripe-views-'));
process.on('exit', () => fs.rmSync(temporary, { recursive: true, force: true }));
const newFile = () => join(temporary, String(numFiles++));

function fileOf(byteLength) {
  const path = newFile();
  fs.writeFileSync(path, Buffer.alloc(byteLength, FROM_FILE));
  return path;
}

/** Starts `write` on a file that is open already, and reads then what is in it. */
const toFile = (write) => ({
  prepare: async () => {
    const path = newFile();
    return { path, handle: await fs.promises.open(path, 'w') };
  },
  start: (buffer, _, { path, handle }) => {
    const end = () => handle.close().catch(() => {});
    return {
      done: write(buffer, handle, path)
        .finally(end)
        .then(() => fs.readFileSync(path)),
    };
  },
});

async function openStream(open) {
  const path = newFile();
  const stream = await open(path);
  await once(stream, 'open');
  return { path, stream };
}

/** Ends a stream that is open already with the buffer, and reads then what is in its file. */
const toStream = (open) => ({
  prepare: () => openStream(open),
  start: (buffer, _, { path, stream }) => {
    stream.end(new Uint8Array(buffer));
    return { done: once(stream, 'finish').then(() => fs.readFileSync(path)) };
  },
});

/** Starts `read` of a file that is open already. */
const fromFile = (read) => ({
  prepare: () => fs.promises.open(fileOf(MIB)),
  start: (buffer, _, handle) => ({
    done: read(buffer, handle)
      .finally(() => handle.close())
      .then(() => undefined),
  }),
});

const halves = (buffer) => [
  new Uint8Array(buffer, 0, buffer.byteLength / 2),
  new Uint8Array(buffer, buffer.byteLength / 2),
];

const overHttp = (answer) => (buffer, later) => {
  const server = http.createServer((_, response) => answer(response, buffer));
  let received;
  const started = new Promise((resolve, reject) => {
    server.listen(0, '127.0.0.1', () => {
      const request = http.get({ port: server.address().port, agent: false }, (response) => {
        response.pause();
        received = later.then(() => bytesOf(response)).finally(() => server.close());
        resolve();
      });
      request.on('error', reject);
    });
  });
  return started.then(() => ({ done: received }));
};

const overTcp = (send) => (buffer, later) => {
  const server = net.createServer((socket) => send(socket, buffer));
  return new Promise((resolve, reject) => {
    server.listen(0, '127.0.0.1', () => {
      const client = net.connect(server.address().port, '127.0.0.1');
      client.on('error', reject);
      client.once('readable', () =>
        resolve({ done: later.then(() => bytesOf(client)).finally(() => server.close()) }),
      );
    });
  });
};

/** A job of libuv's pool, which is busy: it starts after the memory was freed. */
const job = (start) => (buffer) => ({ done: start(buffer) });

async function alias(buffer, later) {
  const bytes = new Uint8Array(buffer);
  await later;
  // Reads what lies there now, and writes where it must not be seen.
  const seen = Buffer.from(bytes);
  if (bytes.length > 0) bytes.fill(FROM_FILE);
  return seen;
}

/** koffi is the mmap package's dependency. */
function koffi() {
  const mmap = createRequire(fileURLToPath(import.meta.resolve('@guardstripe/mmap')));
  return mmap('koffi');
}

const callbackOf = (call) =>
  new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)));
  });

/** @type {Record<string, { size?: number, left?: 'retired' | 'either', start: Function }>} */
export const OPERATIONS = {
  'http: response.end(Buffer.from(buffer))': {
    size: 16 * MIB,
    start: overHttp((response, buffer) => response.end(Buffer.from(buffer))),
  },
  'http: response.write in parts': {
    size: 16 * MIB,
    start: overHttp((response, buffer) => {
      for (const half of halves(buffer)) response.write(half);
      response.end();
    }),
  },
  'net: socket.end': {
    size: 16 * MIB,
    start: overTcp((socket, buffer) => socket.end(new Uint8Array(buffer))),
  },
  'net: corked writes, one writev': {
    size: 16 * MIB,
    start: overTcp((socket, buffer) => {
      socket.cork();
      for (const half of halves(buffer)) socket.write(half);
      socket.uncork();
      socket.end();
    }),
  },
  'pipe: standard input of a child': {
    size: 4 * MIB,
    start: (buffer, later) => {
      const child = spawn(process.execPath, [
        '-e',
        'setTimeout(() => process.stdin.pipe(process.stdout), 300)',
      ]);
      child.stdin.end(new Uint8Array(buffer));
      return { done: later.then(() => bytesOf(child.stdout)) };
    },
  },
  'dgram: send': {
    size: 64 * KIB,
    prepare: async () => {
      const sockets = [0, 1].map(() => dgram.createSocket('udp4').bind(0, '127.0.0.1'));
      await Promise.all(sockets.map((socket) => once(socket, 'listening')));
      return sockets;
    },
    start: (buffer, _, [receiver, sender]) => {
      const message = once(receiver, 'message');
      // The name is looked up in libuv's pool first.
      sender.send(new Uint8Array(buffer, 0, 32 * KIB), receiver.address().port, 'localhost');
      const done = message.then(([bytes]) => bytes);
      return { done: done.finally(() => [sender, receiver].forEach((socket) => socket.close())) };
    },
  },
  'fs.read': fromFile((buffer, { fd }) =>
    callbackOf((done) => fs.read(fd, new Uint8Array(buffer), 0, buffer.byteLength, 0, done)),
  ),
  'fs.readv': fromFile((buffer, { fd }) => callbackOf((done) => fs.readv(fd, halves(buffer), 0, done))),
  'FileHandle.read': fromFile((buffer, handle) =>
    handle.read(new Uint8Array(buffer), 0, buffer.byteLength, 0),
  ),
  'FileHandle.readv': fromFile((buffer, handle) => handle.readv(halves(buffer), 0)),
  'fs.write': toFile((buffer, { fd }) => callbackOf((done) => fs.write(fd, new Uint8Array(buffer), done))),
  'fs.writev': toFile((buffer, { fd }) => callbackOf((done) => fs.writev(fd, halves(buffer), done))),
  'fs.writeFile': toFile((buffer, _, path) =>
    callbackOf((done) => fs.writeFile(path, new Uint8Array(buffer), done)),
  ),
  'fs.promises.writeFile': toFile((buffer, _, path) => fs.promises.writeFile(path, new Uint8Array(buffer))),
  'fs.promises.appendFile': toFile((buffer, _, path) => fs.promises.appendFile(path, new Uint8Array(buffer))),
  'FileHandle.write': toFile((buffer, handle) => handle.write(new Uint8Array(buffer))),
  'FileHandle.writev': toFile((buffer, handle) => handle.writev(halves(buffer))),
  'FileHandle.writeFile': toFile((buffer, handle) => handle.writeFile(new Uint8Array(buffer))),
  'fs.createWriteStream': toStream((path) => fs.createWriteStream(path)),
  'stream.pipeline to a file': {
    prepare: () => openStream((path) => fs.createWriteStream(path)),
    start: (buffer, _, { path, stream }) => ({
      done: pipeline(Readable.from([Buffer.from(buffer)]), stream).then(() => fs.readFileSync(path)),
    }),
  },
  'zlib.deflate': {
    start: job(async (buffer) => zlib.inflateSync(await promisify(zlib.deflate)(new Uint8Array(buffer)))),
  },
  'zlib.gzip': {
    start: job(async (buffer) => zlib.gunzipSync(await promisify(zlib.gzip)(Buffer.from(buffer)))),
  },
  'zlib.brotliCompress': {
    start: job(async (buffer) =>
      zlib.brotliDecompressSync(await promisify(zlib.brotliCompress)(new Uint8Array(buffer))),
    ),
  },
  'zlib stream': {
    start: job((buffer) => {
      const stream = zlib.createDeflate();
      stream.end(new Uint8Array(buffer));
      return bytesOf(stream).then((packed) => zlib.inflateSync(packed));
    }),
  },
  CompressionStream: {
    start: job((buffer) => {
      const { readable, writable } = new CompressionStream('gzip');
      const writer = writable.getWriter();
      writer.write(new Uint8Array(buffer)).catch(() => {});
      writer.close().catch(() => {});
      return bytesOf(readable).then((packed) => zlib.gunzipSync(packed));
    }),
  },
  'crypto.randomFill': {
    start: job((buffer) => promisify(crypto.randomFill)(new Uint8Array(buffer)).then(() => undefined)),
  },
  'crypto.scrypt': {
    size: 64 * KIB,
    start: job((buffer) =>
      derivedRight(buffer, (bytes) => promisify(crypto.scrypt)(bytes, 'salt', 32, { N: 2 })),
    ),
  },
  'crypto.pbkdf2': {
    size: 64 * KIB,
    start: job((buffer) =>
      derivedRight(buffer, (bytes) => promisify(crypto.pbkdf2)(bytes, 'salt', 1, 32, 'sha256')),
    ),
  },
  'crypto.hkdf': {
    size: 64 * KIB,
    start: job((buffer) =>
      derivedRight(buffer, (bytes) => promisify(crypto.hkdf)('sha256', bytes, 'salt', 'info', 32)),
    ),
  },
  'crypto.sign': {
    size: 64 * KIB,
    start: job((buffer) => {
      const { privateKey } = crypto.generateKeyPairSync('ed25519');
      return derivedRight(buffer, (bytes) =>
        callbackOf((done) => crypto.sign(null, bytes, privateKey, done)),
      );
    }),
  },
  'WebCrypto digest': {
    start: job((buffer) => derivedRight(buffer, (bytes) => subtle.digest('SHA-256', bytes))),
  },
  'WebCrypto sign': {
    prepare: () =>
      subtle.importKey('raw', new Uint8Array(32), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']),
    start: (buffer, _, key) => ({ done: derivedRight(buffer, (bytes) => subtle.sign('HMAC', key, bytes)) }),
  },
  'WebCrypto encrypt': {
    prepare: () => subtle.importKey('raw', new Uint8Array(32), 'AES-CTR', false, ['encrypt', 'decrypt']),
    start: (buffer, _, key) => {
      const options = { name: 'AES-CTR', counter: new Uint8Array(16), length: 64 };
      const done = subtle
        .encrypt(options, key, new Uint8Array(buffer))
        .then((secret) => subtle.decrypt(options, key, secret));
      return { done: done.then((plain) => Buffer.from(plain)) };
    },
  },
  'a byte stream: controller.enqueue': {
    left: 'retired',
    start: (buffer, later) => {
      const stream = new ReadableStream({
        type: 'bytes',
        start(controller) {
          controller.enqueue(new Uint8Array(buffer));
          controller.close();
        },
      });
      return { done: later.then(() => bytesOf(stream)) };
    },
  },
  'a byte stream: BYOB read': {
    left: 'retired',
    start: (buffer, later) => {
      let seen;
      const stream = new ReadableStream({
        type: 'bytes',
        async pull(controller) {
          await later;
          const { view } = controller.byobRequest;
          seen = Buffer.from(new Uint8Array(view.buffer));
          new Uint8Array(view.buffer).fill(FROM_FILE);
          controller.byobRequest.respond(view.byteLength);
        },
      });
      const reader = stream.getReader({ mode: 'byob' });
      return { done: reader.read(new Uint8Array(buffer)).then(() => seen) };
    },
  },
  'ArrayBuffer.prototype.transfer.call': {
    left: 'retired',
    start: (buffer, later) => ({ done: alias(ArrayBuffer.prototype.transfer.call(buffer), later) }),
  },
  "another realm's ArrayBuffer.prototype.transfer": {
    left: 'retired',
    start: (buffer, later) => {
      const theirs = vm.runInNewContext('ArrayBuffer.prototype.transferToFixedLength');
      return { done: alias(theirs.call(buffer), later) };
    },
  },
  'a stolen view whose detached property lies': {
    left: 'retired',
    start: (buffer, later) => {
      const stolen = ArrayBuffer.prototype.transfer.call(buffer);
      Object.defineProperty(buffer, 'detached', { value: false });
      Object.defineProperty(buffer, 'byteLength', { value: stolen.byteLength });
      return { done: alias(stolen, later) };
    },
  },
  'a view with the prototype of another realm': {
    start: (buffer, later) => {
      Object.setPrototypeOf(buffer, vm.runInNewContext('ArrayBuffer.prototype'));
      Object.defineProperty(buffer, 'detached', { value: true });
      return { done: later.then(() => undefined) };
    },
  },
  'a view without a prototype': {
    start: (buffer, later) => {
      Object.setPrototypeOf(buffer, null);
      return { done: later.then(() => undefined) };
    },
  },
  'structuredClone, copying': {
    start: (buffer, later) => ({ done: alias(structuredClone(buffer), later) }),
  },
  'structuredClone, transferring': {
    left: 'either',
    start: (buffer, later) => ({ done: transferred(buffer, later, structuredClone) }),
  },
  'postMessage, transferring': {
    left: 'either',
    start: (buffer, later) => ({
      done: transferred(buffer, later, (value, { transfer }) => {
        const { port1, port2 } = new MessageChannel();
        port1.postMessage(value, transfer);
        const { message } = receiveMessageOnPort(port2);
        port1.close();
        return message;
      }),
    }),
  },
  markAsUntransferable: {
    start: (buffer, later) => {
      markAsUntransferable(buffer);
      return { done: alias(buffer, later) };
    },
  },
  'new Response(buffer)': {
    start: (buffer, later) => {
      const response = new Response(buffer);
      return { done: later.then(() => response.arrayBuffer()).then((bytes) => Buffer.from(bytes)) };
    },
  },
  'new Blob([buffer])': {
    start: (buffer, later) => {
      const blob = new Blob([buffer]);
      return { done: later.then(() => blob.arrayBuffer()).then((bytes) => Buffer.from(bytes)) };
    },
  },
  'koffi: an asynchronous call that writes': {
    start: job((buffer) => {
      const memset = koffi().load(null).func('void *memset(void *to, int value, size_t length)');
      return callbackOf((done) =>
        memset.async(new Uint8Array(buffer), FROM_FILE, buffer.byteLength, done),
      ).then(() => undefined);
    }),
  },
  'koffi: an asynchronous call that reads': {
    start: job((buffer) => {
      const memcpy = koffi().load(null).func('void *memcpy(void *to, const void *from, size_t length)');
      const copy = Buffer.alloc(buffer.byteLength);
      return callbackOf((done) => memcpy.async(copy, new Uint8Array(buffer), buffer.byteLength, done)).then(
        () => copy,
      );
    }),
  },
};

/** What one computes of the bytes as they were, of zeros, or fails, but of nobody else's bytes. */
async function derivedRight(buffer, derive) {
  const before = Buffer.from(buffer).map((byte) => byte);
  const pending = derive(new Uint8Array(buffer));
  const result = Buffer.from(await pending);
  const right = [before, Buffer.alloc(before.length)];
  for (const bytes of right) if (Buffer.from(await derive(bytes)).equals(result)) return undefined;
  throw new Error('It was computed of bytes that were never there');
}

async function transferred(buffer, later, clone) {
  let theirs;
  try {
    theirs = clone(buffer, { transfer: [buffer] });
  } catch {
    // Refused: nothing was taken.
    await later;
    return undefined;
  }
  return alias(theirs, later);
}
