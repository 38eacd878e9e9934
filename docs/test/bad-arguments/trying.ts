/** What is tried, and how what is said of it must read. */

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** What most functions take nowhere, by the name that {@link Try.may} has for it. */
export const BAD = {
  'no prototype': () => Object.create(null) as unknown,
  bigint: () => 1n,
  symbol: () => Symbol('s'),
  NaN: () => Number.NaN,
  '-0': () => -0,
  fraction: () => 0.5,
  negative: () => -1,
  'too large': () => 2 ** 53,
  null: () => null,
  undefined: () => undefined,
  array: () => [],
  text: () => 'no such thing',
  function: () => () => undefined,
  revoked,
} satisfies Record<string, () => unknown>;

export type Label = keyof typeof BAD;

/** Of each code of a bad argument: the class that has it, and its words. */
export const GRAMMAR: Readonly<Record<string, { readonly of: string; readonly pattern: RegExp }>> = {
  ERR_INVALID_ARG_TYPE: {
    of: 'TypeError',
    pattern: /^The "[^"]+" (?:argument|property) must be .+\. Received .+$/s,
  },
  ERR_INVALID_ARG_VALUE: {
    of: 'TypeError',
    pattern: /^The (?:argument|property) '[^']*' (?:must|is) .+\. Received .+$/s,
  },
  ERR_OUT_OF_RANGE: {
    of: 'RangeError',
    pattern: /^The value of "[^"]+" is out of range\. It must be .+\. Received .+$/s,
  },
  // Of a handle that is well formed and names nothing.
  ERR_MMAP_SHARED_GONE: { of: 'Error', pattern: /^The (?:image|mapping|memory) is not there: .+$/s },
};

/** One place for a value: an argument, or a field of one. */
export interface Try {
  readonly what: string;
  readonly call: (value: unknown) => unknown;
  /** What may pass here. Where it does not, its error must be as good as any. */
  readonly may: readonly Label[];
  /** What must be the same after an error. */
  readonly state?: (() => unknown) | undefined;
}

/** A function or a method. */
export interface Entry {
  readonly tries: readonly Try[];
  /** Objects whose methods are public. */
  readonly made?: readonly object[];
}

// What each kind of place takes of the above. -0 is 0 everywhere.
export const NUMBER: readonly Label[] = ['-0'];
export const TEXT: readonly Label[] = ['text'];
export const FLAG: readonly Label[] = [];
export const OPTIONS: readonly Label[] = ['no prototype', 'undefined'];
export const FUNCTION: readonly Label[] = ['function'];
export const ITERABLE: readonly Label[] = ['array'];
export const NOTHING: readonly Label[] = [];

/** The same where it may be left out. */
export function optional(kind: readonly Label[]): readonly Label[] {
  return [...kind, 'undefined'];
}

type AnyFunction = (...args: never[]) => unknown;

/** Tries each argument of a call whose other arguments are good. */
export function args(
  call: AnyFunction,
  good: readonly unknown[],
  kinds: readonly (readonly Label[])[],
  state?: () => unknown,
): Try[] {
  return kinds.map((may, index) => ({
    what: `argument ${index}`,
    call: (value) => (call as (...all: unknown[]) => unknown)(...good.toSpliced(index, 1, value)),
    may,
    state,
  }));
}

/** Tries each field of one argument, and one that there is not. */
export function fields(
  call: AnyFunction,
  good: readonly unknown[],
  index: number,
  kinds: Readonly<Record<string, readonly Label[]>>,
  state?: () => unknown,
): Try[] {
  return Object.entries(kinds).map(([field, may]) => ({
    what: `argument ${index}, ${field}`,
    call: (value) =>
      (call as (...all: unknown[]) => unknown)(
        ...good.toSpliced(index, 1, { ...(good[index] as object), [field]: value }),
      ),
    may,
    state,
  }));
}

/** A function that takes nothing: nothing can be wrong. */
export const TAKES_NOTHING: Entry = { tries: [] };

export function isClass(value: object): value is new () => object {
  return /^class\b/.test(Function.prototype.toString.call(value));
}
