import { describe, expect, it } from 'vitest';
import { readOptions } from '../src/index.ts';

const KNOWN = ['byteLength', 'offset', 'growFile'] as const;

describe('readOptions()', () => {
  it('takes nothing for no options, and undefined for one that is left out', () => {
    expect(readOptions(undefined, KNOWN)).toEqual({});
    expect(readOptions({ offset: 0, byteLength: undefined }, KNOWN)).toEqual({ offset: 0 });
    expect(Object.keys(readOptions({ byteLength: undefined }, KNOWN))).toEqual([]);
  });

  it.each([
    ['bytelength', 'byteLength'],
    ['ofset', 'offset'],
    ['growfile', 'growFile'],
    ['growFlie', 'growFile'],
  ])('suggests the nearest name for %s', (given, nearest) => {
    expect(() => readOptions({ [given]: 1 }, KNOWN)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: `The property 'options.${given}' is not known; did you mean '${nearest}'?. Received 1`,
      }),
    );
  });

  it('suggests nothing where nothing is near', () => {
    expect(() => readOptions({ colour: 1 }, KNOWN, 'settings')).toThrow(
      "The property 'settings.colour' is not known. Received 1",
    );
    expect(() => readOptions({ ['x'.repeat(1e6)]: 1 }, KNOWN)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });

  it('refuses what is no object', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const options of [null, 1, 'offset', [], () => 0, Symbol('s'), 1n, proxy]) {
      expect(() => readOptions(options, KNOWN)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });

  it('reads each option once, inherited ones too', () => {
    let reads = 0;
    class Options {
      get offset() {
        reads += 1;
        return 7;
      }
    }
    expect(readOptions(new Options(), KNOWN)).toEqual({ offset: 7 });
    expect(reads).toBe(1);
  });

  it('is not fooled by names that every object has', () => {
    expect(() => readOptions(JSON.parse('{"__proto__": 1}'), KNOWN)).toThrow(/__proto__/);
    expect(readOptions(Object.create(null), KNOWN)).toEqual({});
  });
});
