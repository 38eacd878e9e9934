/**
 * Finding calls into WebAssembly that are under way. V8 names the instance of each of its frames as the frame's receiver;
 * its variables live in machine registers and on the machine's stack, where no snapshot reaches.
 *
 * A call that is suspended (JavaScript promise integration) is on no stack that can be looked at.
 */
import { CallOnStackError } from '../errors.js';
import type { Target } from './target.js';
import { kindOf, webAssembly } from './webassembly.js';

type CallSite = NodeJS.CallSite;
/** Any function. */
type Callee = (...args: never[]) => void;

/** V8's own, and its settings are read there: who replaces them later has no say in what is seen. */
const NativeError = Error;
const captureStackTrace = Error.captureStackTrace.bind(Error);

/** What {@link keepFrames} was given last; if somebody else's formatter was called instead, nothing. */
let described: readonly CallSite[] | undefined;

const keepFrames = (_error: Error, frames: readonly CallSite[]): string => {
  described = frames;
  return '';
};

/** Never called, so never on the stack. */
const neverCalled = (): void => {};

/**
 * What is to be seen of the stack.
 *
 * - `'wasm'`: V8 leaves out JavaScript's frames up to that of a given function, and those of WebAssembly never. So all frames but those of
 *   WebAssembly are left out up to a function that is not on the stack, and need not be described: a third to a half of the time. The
 *   documentation does not say so, hence the probe.
 * - `'all'`: all frames are looked at.
 * - `'nothing'`: somebody else answers in V8's place, and shows no frames of WebAssembly.
 */
type View = 'wasm' | 'all' | 'nothing';

let view: View | undefined;

/** `(module (import "e" "f" (func)) (func (export "g") (call 0)))` */
const PROBE_MODULE = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
  ...[3, 2, 1, 0],
  ...[7, 5, 1, 1, 0x67, 0, 1],
  ...[10, 6, 1, 4, 0, 0x10, 0, 0x0b],
);

/**
 * @throws {@link CallOnStackError} if a frame on the stack belongs to an instance of the target, or to one that may use a memory of
 *   it: one that has none of its own to show. Also where that cannot be seen.
 */
export function assertNoCallOnStack(target: Target): void {
  const seen = (view ??= probe()) ?? 'all';
  if (seen === 'nothing')
    throw unseen('Error.captureStackTrace shows no frames of WebAssembly in this process');
  for (const frame of callSites(seen === 'wasm' ? neverCalled : assertNoCallOnStack)) {
    const receiver: unknown = frame.getThis();
    // JavaScript frames can have an instance as `this` too; those name their function.
    if (kindOf(receiver) !== 'instance' || typeof frame.getFunction() === 'function') continue;
    if (mayUse(receiver as object, target)) {
      throw new CallOnStackError('a call into WebAssembly that may use this memory is still under way');
    }
  }
}

/** Looks at calls of its own. Nothing where those could not be made. */
function probe(): View | undefined {
  let frames: readonly CallSite[] = [];
  let all: readonly CallSite[] = [];
  let depth = 0;
  let g: Callee | undefined;
  const call = (): void => g?.();
  const f = (): void => {
    depth += 1;
    if (depth < 3) return [call].forEach((again) => again());
    frames = callSites(neverCalled);
    all = callSites(f);
  };
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(PROBE_MODULE), { e: { f } });
    g = instance.exports['g'] as Callee;
    call();
    const isOwn = (frame: CallSite): boolean => frame.getThis() === instance;
    if (frames.length === depth && frames.every(isOwn)) return 'wasm';
    return all.filter(isOwn).length === depth ? 'all' : 'nothing';
  } catch (error) {
    if (error instanceof CallOnStackError) throw error;
    return undefined; // No instance could be made, or there was no room on the stack.
  }
}

/** The frames that V8 does not leave out. The error's settings are the process's own, and are put back. */
function callSites(upTo: Callee): readonly CallSite[] {
  const { stackTraceLimit } = NativeError;
  const formatter: unknown = Reflect.get(NativeError, 'prepareStackTrace');
  const holder = {};
  described = undefined;
  try {
    NativeError.stackTraceLimit = Infinity;
    NativeError.prepareStackTrace = keepFrames;
    captureStackTrace(holder, upTo);
    // Read while the setting stands: frames are formatted at the first read.
    Reflect.get(holder, 'stack');
    const frames: readonly CallSite[] | undefined = described;
    described = undefined;
    if (frames !== undefined) return frames;
  } catch {
    // Error is frozen, and nothing has been set.
  } finally {
    restoreSettings(stackTraceLimit, formatter);
  }
  throw unseen('the settings of Error cannot be changed in this process');
}

function unseen(reason: string): CallOnStackError {
  return new CallOnStackError(`whether a call is under way cannot be seen, for ${reason}`);
}

function restoreSettings(stackTraceLimit: number, prepareStackTrace: unknown): void {
  try {
    NativeError.stackTraceLimit = stackTraceLimit;
    // Not deleted where there was none: that would make a slow object of Error.
    NativeError.prepareStackTrace = prepareStackTrace as typeof keepFrames;
  } catch {
    // As above: then there is nothing to put back.
  }
}

function mayUse(instance: object, target: Target): boolean {
  const exported = webAssembly().exportsOf(instance);
  if (target.roots.has(instance) || target.roots.has(exported)) return true;
  let hasOtherMemory = false;
  for (const value of Object.values(exported)) {
    if (kindOf(value) !== 'memory') continue;
    if (target.memories.includes(value as Target['memories'][number])) return true;
    hasOtherMemory = true;
  }
  return !hasOtherMemory;
}
