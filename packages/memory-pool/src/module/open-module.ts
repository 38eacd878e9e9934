/** A module as another thread is told of it: neither parsed nor copied again, but looked through on arrival. */
import {
  bytesOf,
  bytesOutOfRange,
  checkBoolean,
  checkByteRange,
  checkBytes,
  checkInstance,
  checkInteger,
  checkObject,
  checkOneOf,
  checkPages,
  checkString,
  invalidArgType,
} from '@guardstripe/common';
import { openImage } from '@guardstripe/mmap';
import type { ImagePlan, InitialBytes, MemoryType } from '../wasm/index.js';
import { hostPageBytes, makeModule } from './describe.js';
import type { ModuleHandle, ModuleParts } from './handle.js';
import type { PoolModule } from './module.js';

/** Far more than any module declares. */
const MAX_MEMORIES = 100_000;
const MAX_SEGMENTS = 2 ** 32 - 1;
const HASH_BYTES = 32;
const MAX_PAGES = 2n ** 64n;
const PLAN_KINDS = ['imported', 'none', 'image', 'segments', 'unsupported', 'out-of-bounds'] as const;

/**
 * The module of a handle that another thread of this process gave, see {@link PoolModule.handle}. It has the same images, in the same
 * memory file, and in a pool that threads share the same free slots; nothing is parsed or copied. Each thread closes its own.
 *
 * Handles are for the host's own threads: they are checked so far that none of them can make memories reach out of their slots, but what
 * a module's bytes are is told by whoever made it.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `RangeError` `ERR_OUT_OF_RANGE` for what is no handle; `Error`
 * `ERR_MMAP_SHARED_GONE` if no thread has the module any more, or the handle is another process's
 */
export function openModule(handle: ModuleHandle): PoolModule {
  checkObject(handle, 'handle');
  const { poolModule } = handle as Partial<ModuleHandle>;
  checkObject(poolModule, 'handle.poolModule');
  // Each field once: reading it may run the caller's code.
  const { types, plans, contentHash, image } = poolModule as Partial<ModuleParts>;
  const readTypes = readTypesOf(types);
  const claim = copyOf(contentHash, 'handle.poolModule.contentHash');
  checkInteger(claim.byteLength, 'handle.poolModule.contentHash.byteLength', HASH_BYTES, HASH_BYTES);
  const contents = image === undefined ? new Uint8Array(0) : openImage(image);
  try {
    const readPlans = readPlansOf(plans, readTypes, contents.byteLength);
    return makeModule(readTypes, { plans: readPlans, contents, claim }, undefined);
  } catch (error) {
    if (!(contents instanceof Uint8Array)) contents.close();
    throw error;
  }
}

function readTypesOf(types: unknown): MemoryType[] {
  return readList(types, 'handle.poolModule.types', 0, MAX_MEMORIES, readType);
}

/** Each element once, and no more of them than there may be: how many an iterator gives is up to who made the list. */
function readList<T>(
  list: unknown,
  name: string,
  min: number,
  max: number,
  read: (element: unknown, name: string, index: number) => T,
): T[] {
  checkInstance<readonly unknown[]>(list, name, Array);
  const { length } = list;
  checkInteger(length, `${name}.length`, min, max);
  return Array.from({ length }, (_, index) => read(list[index], `${name}[${index}]`, index));
}

/** Nobody else is to change its length, or its bytes, later. */
function copyOf(bytes: unknown, name: string): Uint8Array {
  return new Uint8Array(bytesOf(bytes, name));
}

function readType(type: unknown, name: string): MemoryType {
  checkObject(type, name);
  const { minimumPages, maximumPages, shared, index, pageSize, imported } = type as Partial<MemoryType>;
  checkPageCount(minimumPages, `${name}.minimumPages`);
  if (maximumPages !== undefined) checkPageCount(maximumPages, `${name}.maximumPages`);
  checkBoolean(shared, `${name}.shared`);
  checkOneOf(index, `${name}.index`, ['i32', 'i64']);
  checkOneOf(pageSize, `${name}.pageSize`, [1, 65_536]);
  return {
    minimumPages,
    maximumPages,
    shared,
    index,
    pageSize,
    imported: readImport(imported, `${name}.imported`),
  };
}

function readImport(imported: unknown, name: string): MemoryType['imported'] {
  if (imported === undefined) return undefined;
  checkObject(imported, name);
  const { module, name: of } = imported as Partial<NonNullable<MemoryType['imported']>>;
  checkString(module, `${name}.module`);
  checkString(of, `${name}.name`);
  return { module, name: of };
}

function checkPageCount(pages: unknown, name: string): asserts pages is bigint {
  if (typeof pages !== 'bigint') throw invalidArgType(name, 'of type bigint', pages);
  if (pages < 0n || pages > MAX_PAGES) throw bytesOutOfRange(name, `>= 0 && <= ${MAX_PAGES}`, Number(pages));
}

function readPlansOf(plans: unknown, types: readonly MemoryType[], imageBytes: number): ImagePlan[] {
  const pageBytes = hostPageBytes(undefined);
  return readList(plans, 'handle.poolModule.plans', types.length, types.length, (plan, name, index) => {
    const { minimumPages, pageSize } = types[index]!;
    // Images and segments of more than can be counted are refused below.
    const initialBytes = Math.min(Number(minimumPages) * pageSize, Number.MAX_SAFE_INTEGER);
    return readPlan(plan, name, { initialBytes, imageBytes, pageBytes });
  });
}

/** What a plan has to keep to. */
interface Room {
  /** Of the memory. */
  readonly initialBytes: number;
  /** Of the images' file. */
  readonly imageBytes: number;
  readonly pageBytes: number;
}

function readPlan(plan: unknown, name: string, room: Room): ImagePlan {
  checkObject(plan, name);
  const { kind } = plan as Partial<ImagePlan>;
  checkOneOf(kind, `${name}.kind`, PLAN_KINDS);
  if (kind === 'imported' || kind === 'none') return { kind };
  if (kind === 'image') return readImagePlan(plan, name, room);
  if (kind === 'segments') return readSegments(plan, name, room);
  const { segmentIndex } = plan as { readonly segmentIndex?: unknown };
  checkInteger(segmentIndex, `${name}.segmentIndex`);
  // Nothing but its kind and this is ever looked at again.
  if (kind === 'unsupported') return { kind, reason: 'offset not constant', segmentIndex };
  return { kind, segmentIndex, offset: 0n, byteLength: 0, initialBytes: BigInt(room.initialBytes) };
}

function readImagePlan(plan: object, name: string, { initialBytes, imageBytes, pageBytes }: Room): ImagePlan {
  const { offsetBytes, byteLength, contentsOffset } = plan as Partial<Extract<ImagePlan, { kind: 'image' }>>;
  checkPages(offsetBytes, `${name}.offsetBytes`, pageBytes, 0);
  checkPages(byteLength, `${name}.byteLength`, pageBytes, 1);
  checkPages(contentsOffset, `${name}.contentsOffset`, pageBytes, 0);
  checkByteRange(offsetBytes, byteLength, initialBytes, `${name}.offsetBytes`, `${name}.byteLength`);
  checkByteRange(contentsOffset, byteLength, imageBytes, `${name}.contentsOffset`, `${name}.byteLength`);
  return { kind: 'image', offsetBytes, byteLength, contentsOffset };
}

function readSegments(plan: object, name: string, { initialBytes }: Room): ImagePlan {
  const { reason, segments } = plan as Partial<Extract<ImagePlan, { kind: 'segments' }>>;
  checkOneOf(reason, `${name}.reason`, ['sparse', 'partial page']);
  const read = readList(segments, `${name}.segments`, 0, MAX_SEGMENTS, (segment, of): InitialBytes => {
    checkObject(segment, of);
    const { offset, data } = segment as Partial<InitialBytes>;
    const copy = copyOf(data, `${of}.data`);
    checkBytes(offset, `${of}.offset`);
    checkByteRange(offset, copy.byteLength, initialBytes, `${of}.offset`, `${of}.data.byteLength`);
    return { offset, data: copy };
  });
  return { kind: 'segments', reason, segments: read };
}
