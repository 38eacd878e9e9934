/**
 * Any value at all in a few words, for error messages. Whatever was passed, nothing here throws: an argument may be a
 * revoked proxy, have no prototype, or getters that fail.
 */

/** Longer text is cut: messages are for reading. */
const MAX_CHARS = 28;
const CUT_CHARS = 25;

/** Integers beyond this are shown in groups of three digits, as Node does. */
const SEPARATED_FROM = 2 ** 32;

/** What an error of a wrong type says after "Received": `type string ('x')`, `an instance of Map`, `undefined`. */
export function received(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
    case 'function':
    case 'object':
      return shown(value);
    default:
      return `type ${typeof value} (${shown(value)})`;
  }
}

/** What an error of a wrong value says after "Received": `'x'`, `-0`, `5n`, `an instance of Map`. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${cut(escaped(value))}'`;
    case 'number':
      return Object.is(value, -0) ? '-0' : separated(value);
    case 'bigint':
      return `${cut(String(value))}n`;
    case 'symbol':
      return cut(escaped(String(value)));
    case 'function':
      return describeFunction(value);
    case 'object':
      return value === null ? 'null' : describeObject(value);
    default:
      return String(value);
  }
}

function cut(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, CUT_CHARS)}...` : text;
}

/** One line, as a literal in single quotes would have it. */
function escaped(text: string): string {
  // Long strings are cut first: escaping a gigabyte would fail where the message must not.
  const start = text.length > MAX_CHARS ? text.slice(0, MAX_CHARS + 1) : text;
  return JSON.stringify(start)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", String.raw`\'`);
}

function separated(value: number): string {
  const text = String(value);
  if (!Number.isSafeInteger(value) || Math.abs(value) <= SEPARATED_FROM) return text;
  return text.replaceAll(/\B(?=(?:\d{3})+$)/g, '_');
}

function describeFunction(value: object): string {
  try {
    const name = 'name' in value && typeof value.name === 'string' ? value.name : '';
    return name === '' ? 'an anonymous function' : `function ${cut(escaped(name))}`;
  } catch {
    return 'a function that cannot be read';
  }
}

function describeObject(value: object): string {
  try {
    if (Object.getPrototypeOf(value) === null) return '[Object: null prototype]';
    const maker: unknown = value.constructor;
    const name = typeof maker === 'function' && typeof maker.name === 'string' ? maker.name : '';
    return name === '' ? 'an object' : `an instance of ${cut(escaped(name))}`;
  } catch {
    return 'an object that cannot be read';
  }
}
