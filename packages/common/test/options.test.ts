import { describe, expect, it } from 'vitest';
import { readOptions } from '../src/index.ts';

interface Options {
  readonly byteLength?: number | undefined;
  readonly offset?: number;
  readonly growFile?: boolean;
}

const KNOWN = ['byteLength', 'offset', 'growFile'] as const;

/** Options as a caller without types may pass them. */
const readAny = (options: unknown, name?: string): Partial<Options> =>
  readOptions(options as Options | undefined, KNOWN, name);

describe('readAny()', () => {
  it('takes nothing for no options, and undefined for one that is left out', () => {
    expect(readAny(undefined)).toEqual({});
    expect(readAny({ offset: 0, byteLength: undefined })).toEqual({ offset: 0 });
    expect(Object.keys(readAny({ byteLength: undefined }))).toEqual([]);
  });

  it.each([
    ['bytelength', 'byteLength'],
    ['ofset', 'offset'],
    ['growfile', 'growFile'],
    ['growFlie', 'growFile'],
  ])('suggests the nearest name for %s', (given, nearest) => {
    expect(() => readAny({ [given]: 1 })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: `The property 'options.${given}' is not known; did you mean '${nearest}'?. Received 1`,
      }),
    );
  });

  it('suggests nothing where nothing is near', () => {
    expect(() => readAny({ colour: 1 }, 'settings')).toThrow(
      "The property 'settings.colour' is not known. Received 1",
    );
    expect(() => readAny({ ['x'.repeat(1e6)]: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });

  it('refuses what is no object', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const options of [null, 1, 'offset', [], () => 0, Symbol('s'), 1n, proxy]) {
      expect(() => readAny(options)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    }
  });

  it('reads each option once, inherited ones too', () => {
    let reads = 0;
    class Inherited {
      get offset() {
        reads += 1;
        return 7;
      }
    }
    expect(readAny(new Inherited())).toEqual({ offset: 7 });
    expect(reads).toBe(1);
  });

  it('is not fooled by names that every object has', () => {
    expect(() => readAny(JSON.parse('{"__proto__": 1}'))).toThrow(/__proto__/);
    expect(readAny(Object.create(null))).toEqual({});
  });
});
