/**
 * From a `.wasm` to a shared library:
 *
 *     module --wasm2c--> C, header --+-- without data copies --+
 *                          |         |                         +--cc--> name-key.so, linked to libguest-trap-key.so
 *                          +-------- glue                      |
 *     packaged wasm-rt-impl.c, its memories renamed -----------+
 *     bridge/pooled-memory.c ----------------------------------+
 *
 * What was built is found again by its key, a hash of everything that went into it except the tools. So a folder of built
 * guests can be taken to a machine that has no tools.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeModule } from '@guardstripe/memory-pool';
import { reachBytes, withoutDataCopies, withStackChecks } from './generated-c.ts';
import { glue, GUEST_MODULE_NAME } from './glue.ts';
import {
  type GuestFunction,
  type ImportedFunction,
  readGuestHeader,
  UnsupportedGuestError,
} from './guest-header.ts';
import { refuseNames } from './names.ts';
import { requireTools, runtimeSource, tool } from './toolchain.ts';

/** A module that was compiled. Plain data. */
export interface BuiltGuest {
  readonly name: string;
  /** The WebAssembly that it was, a path. */
  readonly wasm: string;
  /** The guest's shared library, a path. */
  readonly library: string;
  /** The trap bridge's shared library, a path. */
  readonly bridge: string;
  readonly imports: readonly ImportedFunction[];
  readonly exports: readonly GuestFunction[];
  /** Names under which it exports its memory. */
  readonly memoryNames: readonly string[];
  /** Bytes from the start of its memory that must belong to it or fault. */
  readonly reachBytes: number;
}

export interface CompileOptions {
  /** Where libraries are put. @defaultValue `dist` of this package */
  readonly folder?: string;
  /** Leave wasm2c's copying of data segments in, although the memory has them already. For measuring. @defaultValue false */
  readonly keepDataCopies?: boolean;
}

const BRIDGE = fileURLToPath(new URL('../bridge/', import.meta.url));
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const INPUTS = [
  'guest-trap.h',
  'guest-trap.c',
  'pooled-memory.h',
  'pooled-memory.c',
  'bounded-tables.c',
  'runtime-options.h',
];
const GENERATORS = ['./glue.ts', './guest-header.ts', './generated-c.ts', './names.ts', './compile.ts'];

/** `-U_FORTIFY_SOURCE`: its longjmp check takes a jump off the signal stack for a mistake. */
const COMMON_FLAGS = [
  '-O2',
  '-fPIC',
  '-fvisibility=hidden',
  '-U_FORTIFY_SOURCE',
  // A stack that overflows must hit its guard page, whatever the size of a frame.
  '-fstack-clash-protection',
  // All symbols are found when the library is loaded: a guest whose stack ends in the linker would be taken out of it half-way.
  '-Wl,-z,now',
  `-I${BRIDGE}`,
];
/** No handler and no stack counter of wasm2c's own; loads and stores without checks. */
const WASM2C_FLAGS = [
  '-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=1',
  '-DWASM_RT_SKIP_SIGNAL_RECOVERY=1',
  '-DWASM_RT_USE_STACK_DEPTH_COUNT=0',
];
const GUEST_FLAGS = [
  ...WASM2C_FLAGS,
  // A loop of tail calls must overflow.
  '-fno-optimize-sibling-calls',
  // WebAssembly's floating point: no fused operations, rounding and quiet NaNs as IEEE 754 has them.
  '-ffp-contract=off',
  '-frounding-math',
  '-fsignaling-nans',
  // What the room that is left at the end of a stack is counted for (guest-trap.h). Other warnings are wasm2c's business.
  '-Werror=frame-larger-than=32768',
];

/**
 * Compiles a module, or finds it compiled.
 *
 * @throws `MissingToolError` if it must be compiled and a tool is missing, `UnsupportedGuestError`, and what a tool says
 */
export async function compileGuest(
  name: string,
  bytes: Uint8Array,
  { folder = DIST, keepDataCopies = false }: CompileOptions = {},
): Promise<BuiltGuest> {
  const sources = sourceHash();
  const key = hash(sources, bytes, String(keepDataCopies));
  const stem = join(folder, `${name.replaceAll(/[^\w.-]/g, '-')}-${key}`);
  const bridge = join(folder, `libguest-trap-${sources}.so`);
  if (!existsSync(bridge)) await compileBridge(bridge);
  if (!existsSync(`${stem}.json`) || !existsSync(`${stem}.so`)) {
    await compileLibrary(stem, bytes, bridge, keepDataCopies);
  }
  const built = JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as Pick<
    BuiltGuest,
    'imports' | 'exports' | 'memoryNames' | 'reachBytes'
  >;
  return { name, wasm: `${stem}.wasm`, library: `${stem}.so`, bridge, ...built };
}

/** A module in WebAssembly's text format, in bytes. Kept beside what is compiled, for machines without tools. */
export async function assemble(wat: string, folder: string = DIST): Promise<Uint8Array> {
  const path = join(folder, `${basename(wat, '.wat')}-${hash(readFileSync(wat))}.wasm`);
  if (!existsSync(path)) {
    requireTools();
    await inScratch(folder, async (scratch) => {
      await tool('wat2wasm', [wat, '-o', join(scratch, 'a.wasm')]);
      renameSync(join(scratch, 'a.wasm'), path);
    });
  }
  return readFileSync(path);
}

/** A guest in C that calls the bridge itself: `<name>-<key>.so`, to be loaded after {@link TrapBridge.load}. */
export async function compilePlugin(
  source: string,
  folder: string = DIST,
): Promise<{ readonly library: string; readonly bridge: string }> {
  const sources = sourceHash();
  const bridge = join(folder, `libguest-trap-${sources}.so`);
  if (!existsSync(bridge)) await compileBridge(bridge);
  const library = join(folder, `${basename(source, '.c')}-${hash(sources, readFileSync(source))}.so`);
  if (!existsSync(library)) {
    requireTools();
    await inScratch(folder, async (scratch) => {
      const made = join(scratch, 'plugin.so');
      const link = ['-shared', '-Wl,-rpath,$ORIGIN', '-Wl,--no-undefined', bridge, '-Wall', '-Wextra'];
      await tool('cc', [...COMMON_FLAGS, '-o', made, source, ...link]);
      renameSync(made, library);
    });
  }
  return { library, bridge };
}

async function compileBridge(path: string): Promise<void> {
  requireTools();
  await inScratch(join(path, '..'), async (scratch) => {
    const made = join(scratch, 'bridge.so');
    // Never unloaded: the kernel would call a handler that is gone.
    const link = [
      '-shared',
      '-pthread',
      '-Wl,-z,nodelete',
      `-Wl,-soname,${basename(path)}`,
      '-Wall',
      '-Wextra',
    ];
    await tool('cc', [...COMMON_FLAGS, ...link, '-o', made, join(BRIDGE, 'guest-trap.c')]);
    renameSync(made, path);
  });
}

async function compileLibrary(
  stem: string,
  bytes: Uint8Array,
  bridge: string,
  keepDataCopies: boolean,
): Promise<void> {
  refuseNames(bytes);
  requireTools();
  await inScratch(join(stem, '..'), async (scratch) => {
    const at = (name: string): string => join(scratch, name);
    writeFileSync(at('guest.wasm'), bytes);
    await tool('wasm2c', [at('guest.wasm'), '-n', GUEST_MODULE_NAME, '-o', at('guest.c')]);
    const c = readFileSync(at('guest.c'), 'utf8');
    const header = readGuestHeader(readFileSync(at('guest.h'), 'utf8'));
    const { imports, exports, memoryNames } = header;
    const built = { imports, exports, memoryNames, reachBytes: reachBytes(c) };
    const copies = keepDataCopies || !poolWritesData(bytes);
    writeFileSync(at('guest.c'), withStackChecks(copies ? c : withoutDataCopies(c)));
    writeFileSync(at('glue.c'), glue(header, 'guest.h'));

    const runtime = [
      '-include',
      join(BRIDGE, 'runtime-options.h'),
      '-c',
      runtimeSource(),
      '-o',
      at('runtime.o'),
    ];
    await tool('cc', [...COMMON_FLAGS, ...WASM2C_FLAGS, '-w', ...runtime]);
    const parts = ['pooled-memory.c', 'bounded-tables.c'].map((name) => join(BRIDGE, name));
    const objects = [at('guest.c'), at('glue.c'), ...parts, at('runtime.o')];
    // The bridge is looked for beside the guest, wherever both are taken.
    const link = ['-shared', '-Wl,-rpath,$ORIGIN', '-Wl,--no-undefined', bridge, '-lm'];
    await tool('cc', [...COMMON_FLAGS, ...GUEST_FLAGS, '-o', at('guest.so'), ...objects, ...link]).catch(
      (error: unknown) => {
        if (!String(error).includes('frame-larger-than')) throw error;
        throw new UnsupportedGuestError('one of its functions needs more than 32 KiB of stack');
      },
    );
    renameSync(at('guest.so'), `${stem}.so`);
    renameSync(at('guest.wasm'), `${stem}.wasm`);
    writeFileSync(at('guest.json'), JSON.stringify(built));
    renameSync(at('guest.json'), `${stem}.json`);
  });
}

/** Whether a memory from the pool starts with the module's data in it, so that the guest need not write it. */
function poolWritesData(bytes: Uint8Array): boolean {
  using module = describeModule(bytes);
  const defined = module.memories.find(({ kind }) => kind === 'defined');
  return defined?.initialization === 'image' || defined?.initialization === 'copy';
}

async function inScratch(folder: string, use: (scratch: string) => Promise<void>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, '.scratch-'));
  try {
    await use(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function sourceHash(): string {
  const inputs = INPUTS.map((name) => readFileSync(join(BRIDGE, name)));
  const generators = GENERATORS.map((name) => readFileSync(new URL(name, import.meta.url)));
  return hash(...inputs, ...generators, process.arch);
}

function hash(...parts: readonly (Uint8Array | string)[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part).update('\0');
  return digest.digest('hex').slice(0, 16);
}
