import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PLAN_SETTINGS,
  DEFAULT_SLAB_SETTINGS,
  plan,
  readFlags,
  readNamed,
  readSettings,
  settingReaders,
  WASMTIME_FLAGS,
  WASMTIME_PLAN_SETTINGS,
} from '../../src/index.js';
import { bareName } from '../../src/plan/names.js';
import { splitFlags } from '../../src/plan/settings.js';
import { GIB, MIB } from '../support/figures.js';

describe('defaults', () => {
  it("are the pool's, and Wasmtime's", () => {
    expect(readSettings()).toStrictEqual({
      embedding: 'node',
      totalMemories: 1000,
      maxMemorySize: 4 * GIB,
      memoryReservation: 4 * GIB,
      memoryGuardSize: 32 * MIB,
      guardBeforeLinearMemory: true,
      linearMemoryKeepResident: 4 * MIB,
      maxUnusedBytesResident: 128 * MIB,
      maxUnusedWarmSlots: 100,
      memoryProtectionKeys: 'auto',
      maxMemoryProtectionKeys: 16,
      guardPages: 'auto',
    });
    expect(readFlags([])).toStrictEqual({
      ...DEFAULT_PLAN_SETTINGS,
      embedding: 'wasmtime',
      linearMemoryKeepResident: 0,
      maxUnusedBytesResident: Number.MAX_SAFE_INTEGER,
      memoryProtectionKeys: 'disable',
      guardPages: 'disable',
    });
    expect(readSettings({}, WASMTIME_PLAN_SETTINGS)).toStrictEqual(readFlags([]));
    expect(readSettings({ embedding: 'wasmtime' })).toStrictEqual(readFlags([]));
    expect(readSettings({ embedding: 'node' })).toStrictEqual(readSettings());
    expect(DEFAULT_PLAN_SETTINGS).toMatchObject(DEFAULT_SLAB_SETTINGS);
    expect(Object.isFrozen(DEFAULT_PLAN_SETTINGS) && Object.isFrozen(WASMTIME_PLAN_SETTINGS)).toBe(true);
  });
});

describe("Wasmtime's names", () => {
  const FLAGS = {
    'pooling-total-memories': ['totalMemories', '20000', 20_000],
    'pooling-max-memory-size': ['maxMemorySize', '0x1000000', 16 * MIB],
    'memory-reservation': ['memoryReservation', '1073741824', GIB],
    'memory-guard-size': ['memoryGuardSize', '65536', 65_536],
    'guard-before-linear-memory': ['guardBeforeLinearMemory', 'n', false],
    'pooling-memory-keep-resident': ['linearMemoryKeepResident', '0x10000', 65_536],
    'pooling-max-unused-warm-slots': ['maxUnusedWarmSlots', '0x64', 100],
    'pooling-memory-protection-keys': ['memoryProtectionKeys', 'auto', 'auto'],
    'pooling-max-memory-protection-keys': ['maxMemoryProtectionKeys', '4', 4],
  } as const;

  it('has a flag for each setting that Wasmtime has', () => {
    const flags = Object.entries(FLAGS).map(([flag, [setting]]) => [setting, flag]);
    expect(WASMTIME_FLAGS).toStrictEqual({
      ...Object.fromEntries(flags),
      embedding: undefined,
      guardPages: undefined,
      maxUnusedBytesResident: undefined,
    });
    expect(Object.keys(WASMTIME_FLAGS).toSorted()).toStrictEqual(
      Object.keys(DEFAULT_PLAN_SETTINGS).toSorted(),
    );
  });

  it.each(Object.entries(FLAGS))('reads the flag %s', (flag, [setting, text, value]) => {
    expect(readFlags([`-O${flag}=${text}`])).toStrictEqual({ ...WASMTIME_PLAN_SETTINGS, [setting]: value });
    expect(readFlags(['-O', `${flag}=${text}`])[setting]).toBe(value);
    expect(readFlags([`${flag}=${text}`])[setting]).toBe(value);
  });

  it.each(Object.entries(FLAGS))('reads %s from JSON in every spelling', (flag, [setting, , value]) => {
    const snake = flag.replaceAll('-', '_');
    for (const name of [flag, snake, snake.replace(/^pooling_/, ''), setting]) {
      const json = JSON.stringify({ [name]: value });
      expect(readSettings(JSON.parse(json) as Record<string, unknown>)[setting], name).toBe(value);
    }
  });

  it("reads the API's name of the bytes kept resident, and flags that Wasmtime gave up", () => {
    expect(readSettings({ linear_memory_keep_resident: '1MiB' }).linearMemoryKeepResident).toBe(MIB);
    expect(readFlags(['static-memory-maximum-size=0x40000000,static-memory-guard-size=4096'])).toMatchObject({
      memoryReservation: GIB,
      memoryGuardSize: 4096,
    });
  });

  it('reads a whole command line: several flags, a bare one, the last of two, blanks', () => {
    const settings = readFlags([
      '-O',
      'pooling-allocator,pooling-total-memories=5,pooling-total-tables=7, pooling-max-memory-size=64MiB',
      '-Opooling-total-memories=6,',
      '-Opooling-memory-protection-keys',
    ]);
    expect(settings).toMatchObject({
      totalMemories: 6,
      maxMemorySize: 64 * MIB,
      memoryProtectionKeys: 'enable',
    });
  });

  it.each([
    ['y', 'enable'],
    ['yes', 'enable'],
    ['true', 'enable'],
    [true, 'enable'],
    ['Enable', 'enable'],
    ['n', 'disable'],
    ['no', 'disable'],
    [false, 'disable'],
    ['AUTO', 'auto'],
  ])('reads %j for keys as %s', (value, setting) => {
    expect(readSettings({ memoryProtectionKeys: value }).memoryProtectionKeys).toBe(setting);
  });

  it("passes over a pool's other settings and what is undefined", () => {
    const config = { totalMemories: 3, decommitBatchSize: 16, pagemapScan: 'auto', maxMemorySize: undefined };
    expect(readSettings(config)).toStrictEqual({ ...DEFAULT_PLAN_SETTINGS, totalMemories: 3 });
  });

  it('plans with what it has read', () => {
    expect(plan(readFlags(['pooling-total-memories=7'])).layout.numSlots).toBe(7);
  });
});

describe('bad settings', () => {
  it.each([
    [{ totalMemory: 1 }, 'ERR_INVALID_ARG_VALUE', 'totalMemory'],
    [{ constructor: 1 }, 'ERR_INVALID_ARG_VALUE', 'constructor'],
    [JSON.parse('{"__proto__": 1}'), 'ERR_INVALID_ARG_VALUE', '__proto__'],
    [{ '': 1 }, 'ERR_INVALID_ARG_VALUE', "''"],
    [{ totalMemories: 1, total_memories: 1 }, 'ERR_INVALID_ARG_VALUE', 'totalMemories twice'],
    [{ totalMemories: -1 }, 'ERR_OUT_OF_RANGE', 'totalMemories'],
    [{ totalMemories: 1.5 }, 'ERR_OUT_OF_RANGE', '1.5'],
    [{ totalMemories: 2 ** 32 }, 'ERR_OUT_OF_RANGE', '4294967296'],
    [{ totalMemories: '4GiB' }, 'ERR_INVALID_ARG_VALUE', 'a whole number'],
    [{ totalMemories: '-1' }, 'ERR_INVALID_ARG_VALUE', "'-1'"],
    [{ totalMemories: '' }, 'ERR_INVALID_ARG_VALUE', "''"],
    [{ totalMemories: '1e3' }, 'ERR_INVALID_ARG_VALUE', "'1e3'"],
    [{ totalMemories: '99999999999999999999' }, 'ERR_OUT_OF_RANGE', '<= 4294967295'],
    [{ 'pooling-total-memories': true }, 'ERR_INVALID_ARG_TYPE', 'pooling-total-memories'],
    [{ totalMemories: null }, 'ERR_INVALID_ARG_TYPE', 'null'],
    [{ maxMemorySize: true }, 'ERR_INVALID_ARG_TYPE', 'maxMemorySize'],
    [{ maxMemorySize: '4GB' }, 'ERR_INVALID_ARG_VALUE', 'binary'],
    [{ embedding: 'browser' }, 'ERR_INVALID_ARG_VALUE', "one of: 'node', 'wasmtime'"],
    [{ embedding: 1 }, 'ERR_INVALID_ARG_VALUE', 'embedding'],
    [{ maxUnusedBytesResident: -1 }, 'ERR_OUT_OF_RANGE', 'maxUnusedBytesResident'],
    [{ guardBeforeLinearMemory: 1 }, 'ERR_INVALID_ARG_TYPE', 'guardBeforeLinearMemory'],
    [{ guardBeforeLinearMemory: 'maybe' }, 'ERR_INVALID_ARG_TYPE', 'maybe'],
    [{ memoryProtectionKeys: 'constructor' }, 'ERR_INVALID_ARG_VALUE', 'constructor'],
    [{ memoryProtectionKeys: 1 }, 'ERR_INVALID_ARG_VALUE', 'auto'],
    [{ memoryProtectionKeys: null }, 'ERR_INVALID_ARG_VALUE', 'null'],
    [[], 'ERR_INVALID_ARG_TYPE', 'an instance of Array'],
    [null, 'ERR_INVALID_ARG_TYPE', 'null'],
    ['totalMemories=1', 'ERR_INVALID_ARG_TYPE', 'settings'],
  ])('refuses %j with %s, naming %j', (settings, code, text) => {
    expect(() => readSettings(settings as Record<string, unknown>)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) as string }),
    );
  });

  it('refuses a flag without the value that it needs', () => {
    expect(() => readFlags(['-Opooling-total-memories'])).toThrow(/pooling-total-memories.*number/);
  });
});

describe('settings by any reader', () => {
  const { count, flag } = settingReaders;

  it('by readers of one’s own go over the defaults', () => {
    const readers = { totalMemories: count, wanted: flag };
    const defaults = { totalMemories: 5, wanted: false };
    expect(readNamed({ 'total-memories': '7' }, readers, defaults)).toEqual({
      totalMemories: 7,
      wanted: false,
    });
    expect(() => readNamed({}, readers, null as never)).toThrow('"defaults" argument');
    expect(() => readNamed(null as never, readers, defaults)).toThrow('"settings" argument');
    for (const none of [5, null, Number.NaN, 0, ''])
      expect(() => readSettings({}, none as never)).toThrow('"defaults" argument');
    expect(readSettings({}, { ...DEFAULT_PLAN_SETTINGS, totalMemories: 3 }).totalMemories).toBe(3);
  });

  it.each([
    ['totalMemories', 'many', /'defaults.totalMemories'/],
    ['maxMemorySize', undefined, /"defaults.maxMemorySize"/],
    ['memoryProtectionKeys', 'often', /'defaults.memoryProtectionKeys'/],
    ['maxMemoryProtectionKeys', 17, /"defaults.maxMemoryProtectionKeys"/],
    ['embedding', 'browser', /'defaults.embedding'/],
  ])('as defaults are looked at, too: %s is not %s', (name, value, message) => {
    const defaults = { ...DEFAULT_PLAN_SETTINGS, [name]: value } as typeof DEFAULT_PLAN_SETTINGS;
    expect(() => readSettings({}, defaults)).toThrow(message);
    expect(() => readSettings({}, {} as typeof DEFAULT_PLAN_SETTINGS)).toThrow(/defaults.embedding/);
  });

  it('by readers that are none are refused', () => {
    const readers = { totalMemories: 5 as never };
    expect(() => readNamed({ totalMemories: 1 }, readers, {})).toThrow(
      '"readers.totalMemories" property must be of type function',
    );
  });

  it('as flags: with -O, before them or on its own, and with blanks around', () => {
    const { memoryGuardSize, totalMemories } = readFlags([
      '-O',
      ' pooling-total-memories = 7 ,memory-guard-size=65536',
    ]);
    expect([totalMemories, memoryGuardSize]).toEqual([7, 65_536]);
    expect(readFlags(['-Opooling-total-memories=8', '']).totalMemories).toBe(8);
    expect(readFlags([' guard-before-linear-memory ']).guardBeforeLinearMemory).toBe(true);
    expect(() => readFlags('-O' as never)).toThrow('"flags" argument must be an instance of Array');
    expect(() => readFlags(['-O', 5 as never])).toThrow('flags[1]');
    expect(() => readFlags(['memory-O-guard-size=1'])).toThrow('memory-O-guard-size');
  });
});

describe('flags as names and values', () => {
  it('are what stands behind -O, without blanks around them', () => {
    expect(splitFlags(['-O', 'a=1, b = 2 ', '-Oc', '', ' d ', 'e=f=g'])).toEqual({
      a: '1',
      b: '2',
      c: true,
      d: true,
      e: 'f=g',
    });
  });

  it('lose the word that says only where they belong, at the beginning', () => {
    expect(['pooling-total-memories', 'Pooling_x', 'my-pooling-size', 'pooling'].map(bareName)).toEqual([
      'totalMemories',
      'poolingX',
      'myPoolingSize',
      'pooling',
    ]);
  });

  it('are refused by name if they are not what they must be', () => {
    expect(() => readSettings(5 as never)).toThrow('"settings"');
    expect(() => readNamed({}, null as never, {})).toThrow('"readers"');
    expect(() => readSettings({ totalMemories: 1, total_memories: 2 })).toThrow(
      "'settings' must not have totalMemories twice",
    );
  });
});
