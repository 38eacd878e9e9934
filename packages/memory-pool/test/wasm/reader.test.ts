import { describe, expect, it } from 'vitest';
import { InvalidModuleError, resolveLimits } from '../../src/wasm/index.js';
import { readModule as readWithin, type ModuleReading } from '../../src/wasm/reader.js';
import { HEADER, moduleOf, name, section } from '@guardstripe/wasm-builder';

const readModule = (bytes: Uint8Array): ModuleReading => readWithin(bytes, resolveLimits());

// Without V8 before it, as for a module with 64-bit memories where V8 has none.
describe('readModule alone is strict', () => {
  const memory64 = [5, 1, 2];
  it('takes what is right', () => {
    const bytes = moduleOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 7, 0x0b, 1, 9]));
    expect(readModule(bytes)).toMatchObject({
      memories: [{ index: 'i64', minimumPages: 1n, maximumPages: 2n }],
      dataSegments: [{ offset: 7n, byteLength: 1 }],
    });
  });

  it.each([
    ['two memory sections', moduleOf(section(5, [1, ...memory64]), section(5, [1, ...memory64]))],
    ['imports behind memories', moduleOf(section(5, [1, ...memory64]), section(2, [0]))],
    ['bytes behind the memories', moduleOf(section(5, [1, ...memory64, 0]))],
    ['bytes behind no memories', moduleOf(section(5, [0, 0]))],
    ['an empty memory section', moduleOf(section(5, []), section(11, [0]))],
    ['memories that reach into the next section', moduleOf([5, 3, 1, 5, 1, 2])],
    [
      'more memories announced than there are',
      moduleOf(section(5, [0xff, 0xff, 0xff, 0xff, 0x0f, ...memory64])),
    ],
    [
      'more imports announced than there are',
      moduleOf(section(2, [0xff, 0xff, 0xff, 0xff, 0x0f, ...name('a')])),
    ],
    [
      'a second module behind the first',
      Uint8Array.from([...moduleOf(section(5, [1, ...memory64])), ...HEADER]),
    ],
    ['too long a custom name', moduleOf([0, 2, 9, 97], section(5, [1, ...memory64]))],
    ['an import of unknown kind', moduleOf(section(2, [1, ...name('a'), ...name('b'), 5, 0, 0]))],
    ['an import whose name is not UTF-8', moduleOf(section(2, [1, 1, 0xff, ...name('b'), 2, ...memory64]))],
    ['a limit of 65 bits', moduleOf(section(5, [1, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]))],
    ['a limit of 33 bits', moduleOf(section(5, [1, 0, 255, 255, 255, 255, 0x1f]))],
    [
      'a segment for no memory',
      moduleOf(section(5, [1, ...memory64]), section(11, [1, 2, 1, 0x42, 7, 0x0b, 0])),
    ],
    ['a segment of unknown mode', moduleOf(section(5, [1, ...memory64]), section(11, [1, 3, 0]))],
    [
      'a segment longer than the section',
      moduleOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 7, 0x0b, 2, 9])),
    ],
    ['bytes behind the segments', moduleOf(section(5, [1, ...memory64]), section(11, [1, 1, 0, 0]))],
    ['an offset of nothing', moduleOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x0b, 0]))],
    [
      'an offset of two values',
      moduleOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 1, 0x42, 1, 0x0b, 0])),
    ],
    ['an offset that calls', moduleOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x10, 0, 0x0b, 0]))],
    [
      'an offset of 33 bits',
      moduleOf(section(5, [1, 0, 1]), section(11, [1, 0, 0x41, 255, 255, 255, 255, 0x1f, 0x0b, 0])),
    ],
  ])('%s', (_, bytes) => {
    expect(() => readModule(bytes)).toThrow(InvalidModuleError);
  });
});
