/** A store on its way, as a message carries it: one array of bytes, which no one can change or make up without being found out. */
import { createHash, randomBytes } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { bytesOf, checkObject } from '@guardstripe/common';
import { StoreTokenError } from '../errors.js';
import type { ModuleHandle } from '../module/handle.js';
import type { MemoryTemplate } from '../module/template.js';

/**
 * A store that was released: plain data for `postMessage` and `workerData`. {@link MemoryPool.adopt} takes it once, in whichever thread
 * of the pool comes first.
 */
export interface StoreToken {
  /** No API: it may be anything in the next version. */
  readonly poolStore: Uint8Array;
}

/** A memory that moves. */
export interface MovingMemory {
  readonly slot: number;
  /** Of its tenancy from now on. */
  readonly generation: number;
  /** What it is made of; its image comes with the module. */
  readonly template: Omit<MemoryTemplate, 'image'>;
  /** Which of the parcel's modules; -1 for one that was closed. */
  readonly module: number;
}

/** What moves. */
export interface Parcel {
  readonly stripe: number;
  /** Whether the store had a limiter, which cannot move. */
  readonly wasLimited: boolean;
  /** In the order of the store's list: the newest first. */
  readonly memories: readonly MovingMemory[];
  readonly modules: readonly ModuleHandle[];
}

/** A token that was read. */
export interface ReadToken {
  readonly flight: number;
  readonly hash: Int32Array;
  /** What moves: to be read only of a token whose hash a flight has, so that nobody else has made it. */
  readonly parcel: () => Parcel;
}

/** The flight's number, and bytes that nobody can guess. */
const HEAD_BYTES = 4 + 28;

/** Makes the token of a store that is to fly. */
export function makeToken(flight: number, parcel: Parcel): { token: StoreToken; hash: Int32Array } {
  const head = randomBytes(HEAD_BYTES);
  head.writeInt32LE(flight);
  const poolStore = Uint8Array.from(Buffer.concat([head, serialize(parcel)]));
  return { token: { poolStore }, hash: hashOf(poolStore) };
}

/** @throws `TypeError` `ERR_INVALID_ARG_TYPE`; {@link StoreTokenError} for bytes that are too few */
export function readToken(token: StoreToken): ReadToken {
  checkObject(token, 'token');
  // Once: reading it may run the caller's code. A copy: its bytes may be shared, and change.
  const bytes = Buffer.from(bytesOf(token.poolStore, 'token.poolStore'));
  if (bytes.byteLength <= HEAD_BYTES) throw new StoreTokenError();
  return {
    flight: bytes.readInt32LE(),
    hash: hashOf(bytes),
    parcel: () => deserialize(bytes.subarray(HEAD_BYTES)) as Parcel,
  };
}

function hashOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(Uint8Array.from(createHash('sha256').update(bytes).digest()).buffer);
}
