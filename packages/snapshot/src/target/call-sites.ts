/**
 * Frames of the stack, as V8 describes them to a formatter of stacks. For that, two settings of `Error` are ours for a moment. A
 * call can be cut off in it: by the end of the stack, or by `timeout` of `node:vm`, which runs no `finally`. So what puts the settings
 * back calls no function, and our formatter puts the process's own back when it is handed an error that is none of ours.
 */

/** A frame of the stack. */
export type Frame = NodeJS.CallSite;

/** A function that `new` can be used with, which arrows cannot. */
type Callee = (...args: never[]) => void;

/** V8's own, and its settings are read there: who replaces it later has no say in what is seen, nor who did so by a subclass before. */
const NativeError = nativeOf(Error);
// eslint-disable-next-line typescript/unbound-method -- it has no receiver
const { construct } = Reflect;

/** The error whose stack is asked for, and what {@link keepFrames} was told of it. */
let asked: unknown;
let described: readonly Frame[] | undefined;
/** The process's own, while ours stands in its place. */
let theirFormatter: unknown;

function nativeOf(error: ErrorConstructor): ErrorConstructor {
  const base: unknown = Object.getPrototypeOf(error);
  return typeof base !== 'function' || base === Function.prototype
    ? error
    : nativeOf(base as ErrorConstructor);
}

function keepFrames(error: Error, frames: Frame[]): unknown {
  if (error === asked) {
    described = frames;
    return '';
  }
  // Taken, for another copy of this package may have been cut off, too, and hand it back to us.
  const formatter = theirFormatter;
  theirFormatter = undefined;
  if (NativeError.prepareStackTrace === keepFrames)
    NativeError.prepareStackTrace = formatter as typeof keepFrames;
  if (typeof formatter === 'function')
    return Reflect.apply(formatter, NativeError, [error, frames]) as unknown;
  return [describe(error), ...frames.map(String)].join('\n    at ');
}

/** The first line of a stack. */
function describe(error: Error): string {
  try {
    return NativeError.prototype.toString.call(error);
  } catch {
    return '<error>'; // as V8 does
  }
}

/**
 * Frames that V8 does not leave out: those of WebAssembly, and the others from that of a function on; none of them if it is not on the
 * stack. Nothing where the settings of `Error` cannot be changed, or there is no room on the stack.
 */
export function callSites(upTo: Callee): readonly Frame[] | undefined {
  const { stackTraceLimit } = NativeError;
  const formatter: unknown = Reflect.get(NativeError, 'prepareStackTrace');
  if (formatter !== keepFrames) theirFormatter = formatter;
  described = undefined;
  try {
    try {
      NativeError.stackTraceLimit = Infinity;
      // Made so, it costs less than an object that Error.captureStackTrace() adds a stack to.
      asked = construct(NativeError, [], upTo as never);
    } finally {
      NativeError.stackTraceLimit = stackTraceLimit;
    }
    try {
      NativeError.prepareStackTrace = keepFrames;
      // Read while the setting stands: frames are formatted at the first read.
      Reflect.get(asked as Error, 'stack');
    } finally {
      // Not deleted where there was none: that would make a slow object of Error.
      NativeError.prepareStackTrace = theirFormatter as typeof keepFrames;
    }
  } catch {
    // Error is frozen, and nothing has been set.
  }
  const frames: readonly Frame[] | undefined = described;
  described = asked = undefined;
  return frames;
}
