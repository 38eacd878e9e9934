/**
 * Finding calls into WebAssembly that are under way. V8 names the instance of each of its frames as the frame's receiver;
 * its variables live in machine registers and on the machine's stack, where no snapshot reaches.
 *
 * A call that is suspended (JavaScript promise integration) is on no stack that can be looked at.
 */
import { CallOnStackError } from '../errors.js';
import { callSites, type Frame } from './call-sites.js';
import { mayUseOneOf } from './memories-of.js';
import type { Target } from './target.js';
import { kindOf, webAssembly } from './webassembly.js';

/** Never called, so never on the stack. */
function neverCalled(): void {}

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
 *   it: one that has or imports one. Also where that cannot be seen.
 */
export function assertNoCallOnStack(target: Target): void {
  const seen = (view ??= probe()) ?? 'all';
  if (seen === 'nothing') throw unseen('stacks show no frames of WebAssembly in this process');
  const frames = callSites(seen === 'wasm' ? neverCalled : assertNoCallOnStack);
  // There is always a caller to be seen, where all frames are shown.
  if (frames === undefined || (seen === 'all' && frames.length === 0))
    throw unseen('the settings of Error cannot be changed in this process');
  for (const frame of frames) {
    const receiver: unknown = frame.getThis();
    // JavaScript frames can have an instance as `this` too; those name their function.
    if (kindOf(receiver) !== 'instance' || typeof frame.getFunction() === 'function') continue;
    if (mayUse(receiver as object, target)) {
      throw new CallOnStackError('a call into WebAssembly that may use this memory is still under way');
    }
  }
}

/** More frames than V8 notes by default: that all are asked for must count, too. */
const PROBE_DEPTH = 12;

/** Looks at calls of its own. Nothing where those could not be made. */
function probe(): View | undefined {
  let frames: readonly Frame[] | undefined;
  let all: readonly Frame[] | undefined;
  let depth = 0;
  let g: (() => void) | undefined;
  const call = (): void => g?.();
  function f(): void {
    depth += 1;
    if (depth < PROBE_DEPTH) return [call].forEach((again) => again());
    frames = callSites(neverCalled);
    all = callSites(f);
  }
  let instance: object | undefined;
  try {
    const made = new WebAssembly.Instance(new WebAssembly.Module(PROBE_MODULE), { e: { f } });
    instance = made;
    g = made.exports['g'] as () => void;
    call();
  } catch {
    return undefined; // No instance could be made, or there was no room on the stack.
  }
  if (frames === undefined || all === undefined) return undefined;
  const showsAll = (shown: readonly Frame[]): boolean =>
    shown.filter((frame) => frame.getThis() === instance).length === depth;
  // The first look may be one from within a call, whose frames are shown, too.
  if (showsAll(frames) && frames.every((frame) => kindOf(frame.getThis()) === 'instance')) return 'wasm';
  return showsAll(all) ? 'all' : 'nothing';
}

function unseen(reason: string): CallOnStackError {
  return new CallOnStackError(`whether a call is under way cannot be seen, for ${reason}`);
}

function mayUse(instance: object, target: Target): boolean {
  const exported = webAssembly().exportsOf(instance);
  if (target.roots.includes(instance) || target.roots.includes(exported)) return true;
  const shown: readonly unknown[] = target.memories;
  return (
    Object.values(exported).some((value) => shown.includes(value)) || mayUseOneOf(target.memories, instance)
  );
}
