/** Pages of memory, and keys for them. Every call here is on pages of our own, as good values are given for all but one argument. */
import * as mmap from '@guardstripe/mmap';
import {
  adoptKeys,
  allow,
  keys,
  leaveKeys,
  ProtectionMask,
  shareKeys,
  withMask,
  type JointKey,
} from '@guardstripe/mpk';
import {
  args,
  fields,
  FLAG,
  FUNCTION,
  ITERABLE,
  NOTHING,
  NUMBER,
  OPTIONS,
  optional,
  TAKES_NOTHING,
  TEXT,
  type Entry,
  type Label,
  type Try,
} from './trying.js';

const { pageSize } = mmap.platform();
const map = mmap.Mmap.anonymous(4 * pageSize);
const image = mmap.memoryImage(new Uint8Array(pageSize));
const scanner = new mmap.PageScanner(map);
const restorer = new mmap.PageRestorer({ map });
const state = () => [map.address, map.byteLength, map.closed];
/** A range of a map, first its offset, then its length. */
const RANGE: readonly (readonly Label[])[] = [NUMBER, NUMBER];
const OPEN_RANGE = RANGE.map((kind) => optional(kind));

function method(
  name: keyof mmap.Mmap,
  good: readonly unknown[],
  kinds: readonly (readonly Label[])[],
): Try[] {
  return args((...all) => (map[name] as (...all: unknown[]) => unknown).apply(map, all), good, kinds, state);
}

/** Where nothing is wrong with the options, the map would be closed. */
function closing(close: (options: never) => unknown): Try[] {
  return fields(close, [{}], 0, { unsafe: NOTHING, noSuchOption: NOTHING }).map((one) => ({
    ...one,
    call: (value: unknown) => value === undefined || one.call(value),
    may: ['undefined'] as const,
    state,
  }));
}

/** What makes a map is closed at once. */
function making(make: (...all: never[]) => { close(): void }): (...all: never[]) => void {
  return (...all) => make(...all).close();
}

function mapping(
  name: 'reserve' | 'anonymous' | 'accessibleReserved' | 'fromFile' | 'shared' | 'openShared',
): (...all: never[]) => void {
  return making((...all) => (mmap.Mmap[name] as (...all: unknown[]) => mmap.Mmap).apply(mmap.Mmap, all));
}

const shared = mmap.Mmap.shared(pageSize);
const handle = shared.share();

const joint = mmap.reserveJointly(pageSize);
const imageHandle = mmap.shareImage(image);
const kept = mmap.reserveJointly(pageSize);
const jointHandle = mmap.jointHandleOf(joint);

const PLATFORM = { virtualMemory: optional(NOTHING), noSuchOption: NOTHING };

export const MAPS: Readonly<Record<string, Entry>> = {
  Mmap: {
    tries: args((...all) => Reflect.construct(mmap.Mmap, all), [0], [NOTHING]),
    made: [image, restorer, map],
  },
  'Mmap.accessibleReserved': {
    tries: [
      ...args(mapping('accessibleReserved'), [pageSize, pageSize, {}], [NUMBER, NOTHING, OPTIONS]),
      ...fields(mapping('accessibleReserved'), [pageSize, pageSize, {}], 2, PLATFORM),
    ],
  },
  'Mmap.advise': { tries: method('advise', [0, pageSize, 'willneed'], [...RANGE, NOTHING]) },
  'Mmap.adviseAsync': { tries: method('adviseAsync', [0, pageSize, 'willneed'], [...RANGE, NOTHING]) },
  'Mmap.anonymous': {
    tries: [
      ...args(mapping('anonymous'), [pageSize, {}], [NOTHING, OPTIONS]),
      ...fields(mapping('anonymous'), [pageSize, {}], 1, { ...PLATFORM, hugePages: optional(FLAG) }),
    ],
  },
  'Mmap.close': { tries: closing((options) => map.close(options)) },
  'Mmap.closeAsync': { tries: closing((options) => map.closeAsync(options)) },
  'Mmap.decommit': { tries: method('decommit', [0, pageSize], RANGE) },
  'Mmap.decommitMany': {
    tries: [
      ...method('decommitMany', [[]], [ITERABLE]),
      ...args((one: never) => map.decommitMany([one]), [{ offset: 0, byteLength: 0 }], [NOTHING], state),
    ],
  },
  'Mmap.detachView': { tries: method('detachView', [undefined], [NOTHING]) },
  'Mmap.fromFile': {
    tries: [
      ...args(mapping('fromFile'), [import.meta.filename, {}], [NOTHING, OPTIONS]).map((one) =>
        // No such file and no such descriptor: the system's own words.
        one.what === 'argument 0'
          ? {
              ...one,
              call: (value: unknown) =>
                typeof value === 'string' || Object.is(value, -0) ? undefined : one.call(value),
              may: ['text', '-0'] as const,
            }
          : one,
      ),
      ...fields(mapping('fromFile'), [import.meta.filename, {}], 1, {
        ...PLATFORM,
        sharing: optional(NOTHING),
        access: optional(NOTHING),
        offset: optional(NUMBER),
        byteLength: optional(NOTHING),
        resizable: optional(FLAG),
      }),
    ],
  },
  'Mmap.hold': TAKES_NOTHING,
  'Mmap.lock': {
    tries: [
      ...method('lock', [0, 0, {}], [...OPEN_RANGE, OPTIONS]),
      ...fields(
        (...all) => map.lock(...(all as unknown as Parameters<typeof map.lock>)),
        [0, 0, {}],
        2,
        { onFault: optional(FLAG), noSuchOption: NOTHING },
        state,
      ),
    ],
  },
  'Mmap.makeAccessible': { tries: method('makeAccessible', [0, pageSize], RANGE) },
  'Mmap.makeInaccessible': { tries: method('makeInaccessible', [0, 0], RANGE) },
  'Mmap.mapImageAt': {
    tries: [
      ...method('mapImageAt', [image, 0, 'read-write', {}], [NOTHING, NUMBER, optional(NOTHING), OPTIONS]),
      ...fields(
        (...all) => map.mapImageAt(...(all as unknown as Parameters<typeof map.mapImageAt>)),
        [image, 0, 'read-write', {}],
        3,
        { imageOffset: optional(NUMBER), byteLength: optional(NUMBER), noSuchField: NOTHING },
        state,
      ),
    ],
  },
  'Mmap.name': {
    tries: method('name', [null, 0, pageSize], [['null', 'text'], optional(NUMBER), optional(NUMBER)]),
  },
  'Mmap.openShared': {
    tries: [
      ...args(mapping('openShared'), [handle, {}], [NOTHING, OPTIONS]),
      ...fields(mapping('openShared'), [handle, {}], 1, { ...PLATFORM, access: optional(NOTHING) }),
      ...fields(mapping('openShared'), [handle, {}], 0, {
        pid: NOTHING,
        // A descriptor that is another file, or none.
        fd: NOTHING,
        device: NOTHING,
        inode: NOTHING,
        byteLength: NOTHING,
      }).map((one) => ({
        ...one,
        call: (value: unknown) => (Object.is(value, -0) ? undefined : one.call(value)),
        may: ['-0'] as const,
      })),
    ],
    made: [shared],
  },
  'Mmap.pageAccess': { tries: method('pageAccess', [0, pageSize], OPEN_RANGE) },
  'Mmap.protect': { tries: method('protect', [0, pageSize, 'read-write'], [...RANGE, NOTHING]) },
  'Mmap.protectWhile': {
    tries: args(
      (...all) => map.protectWhile(...(all as unknown as Parameters<typeof map.protectWhile>)).restore(),
      [0, pageSize, 'read-write'],
      [...RANGE, NOTHING],
      state,
    ),
  },
  'Mmap.protectWithKey': {
    tries: method('protectWithKey', [0, 0, 'read-write', 0], [...RANGE, NOTHING, NUMBER]),
  },
  'Mmap.read': { tries: method('read', [0, 1], RANGE) },
  'Mmap.readInto': { tries: method('readInto', [new Uint8Array(1), 0], [NOTHING, optional(NUMBER)]) },
  'Mmap.remapAsZerosAt': {
    tries: method('remapAsZerosAt', [0, pageSize, 'read-write'], [...RANGE, optional(NOTHING)]),
  },
  'Mmap.reserve': {
    tries: [
      ...args(mapping('reserve'), [pageSize, {}], [NOTHING, OPTIONS]),
      ...fields(mapping('reserve'), [pageSize, {}], 1, PLATFORM),
    ],
  },
  'Mmap.resident': { tries: method('resident', [0, pageSize], OPEN_RANGE) },
  'Mmap.residentPages': { tries: method('residentPages', [0, pageSize], OPEN_RANGE) },
  'Mmap.residentRanges': { tries: method('residentRanges', [0, pageSize], OPEN_RANGE) },
  'Mmap.resize': {
    tries: [
      ...method('resize', [4 * pageSize, {}], [NOTHING, OPTIONS]),
      ...fields(
        (...all) => map.resize(...(all as unknown as Parameters<typeof map.resize>)),
        [4 * pageSize, {}],
        1,
        { growFile: optional(FLAG), shrinkFile: optional(FLAG), noSuchOption: NOTHING },
        state,
      ),
    ],
  },
  'Mmap.share': TAKES_NOTHING,
  'Mmap.shared': {
    tries: [
      ...args(mapping('shared'), [pageSize, {}], [NOTHING, OPTIONS]),
      ...fields(mapping('shared'), [pageSize, {}], 1, { ...PLATFORM, name: optional(TEXT) }),
    ],
  },
  'Mmap.sync': { tries: method('sync', [0, pageSize], OPEN_RANGE) },
  'Mmap.syncAsync': { tries: method('syncAsync', [0, pageSize], OPEN_RANGE) },
  'Mmap.unlock': { tries: method('unlock', [0, 0], OPEN_RANGE) },
  'Mmap.view': { tries: method('view', [0, pageSize], OPEN_RANGE) },
  'Mmap.write': {
    tries: args(
      (offset, bytes) => {
        map.makeAccessible(0, pageSize);
        map.write(offset, bytes);
      },
      [0, new Uint8Array(1)],
      [NUMBER, NOTHING],
      state,
    ),
  },
  'MemoryImage.close': TAKES_NOTHING,
  PageScanner: {
    tries: [
      ...args((...all) => Reflect.construct(mmap.PageScanner, all), [map, {}], [NOTHING, OPTIONS]),
      ...fields((...all) => Reflect.construct(mmap.PageScanner, all), [map, {}], 1, {
        maxRunsPerCall: optional(NOTHING),
        noSuchOption: NOTHING,
      }),
    ],
  },
  'PageScanner.dirtyBytes': { tries: scanning('dirtyBytes') },
  'PageScanner.dirtyRanges': { tries: scanning('dirtyRanges') },
  'PageScanner.isSupported': { tries: [] },
  addressOf: { tries: args(mmap.addressOf, [new Uint8Array(1)], [NOTHING]) },
  createView: {
    tries: args(
      (address, byteLength) => mmap.detachView(mmap.createView(address, byteLength)),
      [map.address, pageSize],
      [NOTHING, NUMBER],
    ),
  },
  detachView: { tries: args(mmap.detachView, [undefined], [NOTHING]) },
  host: TAKES_NOTHING,
  memoryImage: {
    tries: [
      ...args(making(mmap.memoryImage), [new Uint8Array(1), {}], [NOTHING, OPTIONS]),
      ...fields(making(mmap.memoryImage), [new Uint8Array(1), {}], 1, { ...PLATFORM, name: optional(TEXT) }),
    ],
  },
  platform: TAKES_NOTHING,
  adoptMap: {
    tries: [
      ...args(making(mmap.adoptMap), [jointHandle, {}], [NOTHING, OPTIONS]),
      ...fields(making(mmap.adoptMap), [jointHandle, {}], 1, PLATFORM),
      ...fields(making(mmap.adoptMap), [jointHandle, {}], 0, {
        pid: NOTHING,
        entry: ['-0'],
        token: NOTHING,
        address: NOTHING,
        byteLength: NOTHING,
      }),
    ],
  },
  openImage: {
    tries: [
      ...args(making(mmap.openImage), [imageHandle], [NOTHING]),
      ...fields(making(mmap.openImage), [imageHandle], 0, {
        pid: NOTHING,
        entry: ['-0'],
        token: NOTHING,
        byteLength: NOTHING,
      }),
    ],
  },
  keepJointMap: { tries: args(mmap.keepJointMap, [kept, true], [NOTHING, optional(FLAG)]) },
  shareImage: { tries: args(mmap.shareImage, [image], [NOTHING]) },
  countJointMappings: { tries: args(mmap.countJointMappings, [joint, 0], [NOTHING, ['-0', 'negative']]) },
  jointHandleOf: { tries: args(mmap.jointHandleOf, [joint], [NOTHING]) },
  reserveJointly: {
    tries: [
      ...args(making(mmap.reserveJointly), [pageSize, {}], [NUMBER, OPTIONS]),
      ...fields(making(mmap.reserveJointly), [pageSize, {}], 1, PLATFORM),
    ],
  },
  processState: TAKES_NOTHING,
  processStateObstacle: TAKES_NOTHING,
  withheldAddresses: TAKES_NOTHING,

  ProtectionMask: { tries: args((...all) => Reflect.construct(ProtectionMask, all), [0], [NOTHING]) },
  'ProtectionMask.allows': {
    tries: args((key) => ProtectionMask.zero.allows(key), [undefined], [NOTHING]),
  },
  'ProtectionMask.or': { tries: args((key) => ProtectionMask.zero.or(key), [undefined], [NOTHING]) },
  adoptKeys: {
    tries: [
      ...args(adoptKeys, [joint, []], [NOTHING, ['array']]),
      ...args((key: JointKey) => adoptKeys(joint, [key]), [{ id: 1, generation: 0 }], [NOTHING]),
      ...fields((key: JointKey) => adoptKeys(joint, [key]), [{ id: 1, generation: 0 }], 0, { id: NOTHING }),
    ],
  },
  leaveKeys: { tries: args(leaveKeys, [keys(0), () => 0], [NOTHING, FUNCTION]) },
  shareKeys: { tries: args(shareKeys, [keys(0), joint], [NOTHING, NOTHING]) },
  allow: { tries: args(allow, [ProtectionMask.all], [NOTHING]) },
  currentMask: TAKES_NOTHING,
  isSupported: TAKES_NOTHING,
  keys: { tries: args((max: number) => keys(max).dispose(), [0], [optional(NUMBER)]) },
  supportReason: TAKES_NOTHING,
  withMask: { tries: args(withMask, [ProtectionMask.all, () => 0], [NOTHING, FUNCTION]) },
};

/** Where the kernel cannot scan, good values fail as well. */
function scanning(name: 'dirtyBytes' | 'dirtyRanges'): Try[] {
  return mmap.PageScanner.isSupported()
    ? args((...all) => scanner[name](...(all as unknown as [number, number])), [0, pageSize], OPEN_RANGE)
    : [];
}
