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

const keepFrames = (_error: Error, frames: readonly CallSite[]): unknown => frames;

/**
 * @throws {@link CallOnStackError} if a frame on the stack belongs to an instance of the target, or to one that may use a memory of
 *   it: one that has none of its own to show.
 */
export function assertNoCallOnStack(target: Target): void {
  for (const frame of callSites()) {
    const receiver: unknown = frame.getThis();
    // JavaScript frames can have an instance as `this` too; those name their function.
    if (kindOf(receiver) !== 'instance' || typeof frame.getFunction() === 'function') continue;
    if (mayUse(receiver as object, target)) {
      throw new CallOnStackError('a call into WebAssembly that may use this memory is still under way');
    }
  }
}

/** All frames. The error's settings are the process's own, and are put back. */
function callSites(): readonly CallSite[] {
  const { stackTraceLimit } = Error;
  const formatter: unknown = Reflect.get(Error, 'prepareStackTrace');
  const holder: { stack?: readonly CallSite[] } = {};
  try {
    Error.stackTraceLimit = Infinity;
    Error.prepareStackTrace = keepFrames;
    Error.captureStackTrace(holder, assertNoCallOnStack);
    // Read while the setting stands: frames are formatted at the first read.
    const frames = holder.stack;
    if (Array.isArray(frames)) return frames as readonly CallSite[];
  } catch {
    // Error is frozen, and nothing has been set.
  } finally {
    restoreSettings(stackTraceLimit, formatter);
  }
  throw new CallOnStackError('whether one is under way cannot be seen, for Error is frozen in this process');
}

function restoreSettings(stackTraceLimit: number, prepareStackTrace: unknown): void {
  try {
    Error.stackTraceLimit = stackTraceLimit;
    // Not deleted where there was none: that would make a slow object of Error.
    Object.assign(Error, { prepareStackTrace });
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
