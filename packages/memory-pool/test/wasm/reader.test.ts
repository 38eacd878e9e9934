import { describe, expect, it } from 'vitest';
import { InvalidModuleError } from '../../src/wasm/index.js';
import { readModule } from '../../src/wasm/reader.js';
import { HEADER, name, section } from './encode.js';

const bytesOf = (...parts: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from([...HEADER, ...parts.flat()]);

// Without V8 before it, as for a module with 64-bit memories where V8 has none.
describe('readModule alone is strict', () => {
  const memory64 = [5, 1, 2];
  it('takes what is right', () => {
    const bytes = bytesOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 7, 0x0b, 1, 9]));
    expect(readModule(bytes)).toMatchObject({
      memories: [{ index: 'i64', minimumPages: 1n, maximumPages: 2n }],
      dataSegments: [{ offset: 7n, byteLength: 1 }],
    });
  });

  it.each([
    ['two memory sections', bytesOf(section(5, [1, ...memory64]), section(5, [1, ...memory64]))],
    ['imports behind memories', bytesOf(section(5, [1, ...memory64]), section(2, [0]))],
    ['bytes behind the memories', bytesOf(section(5, [1, ...memory64, 0]))],
    ['bytes behind no memories', bytesOf(section(5, [0, 0]))],
    ['an empty memory section', bytesOf(section(5, []), section(11, [0]))],
    ['memories that reach into the next section', bytesOf([5, 3, 1, 5, 1, 2])],
    [
      'more memories announced than there are',
      bytesOf(section(5, [0xff, 0xff, 0xff, 0xff, 0x0f, ...memory64])),
    ],
    [
      'more imports announced than there are',
      bytesOf(section(2, [0xff, 0xff, 0xff, 0xff, 0x0f, ...name('a')])),
    ],
    [
      'a second module behind the first',
      Uint8Array.from([...bytesOf(section(5, [1, ...memory64])), ...HEADER]),
    ],
    ['too long a custom name', bytesOf([0, 2, 9, 97], section(5, [1, ...memory64]))],
    ['an import of unknown kind', bytesOf(section(2, [1, ...name('a'), ...name('b'), 5, 0, 0]))],
    ['an import whose name is not UTF-8', bytesOf(section(2, [1, 1, 0xff, ...name('b'), 2, ...memory64]))],
    ['a limit of 65 bits', bytesOf(section(5, [1, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]))],
    ['a limit of 33 bits', bytesOf(section(5, [1, 0, 255, 255, 255, 255, 0x1f]))],
    [
      'a segment for no memory',
      bytesOf(section(5, [1, ...memory64]), section(11, [1, 2, 1, 0x42, 7, 0x0b, 0])),
    ],
    ['a segment of unknown mode', bytesOf(section(5, [1, ...memory64]), section(11, [1, 3, 0]))],
    [
      'a segment longer than the section',
      bytesOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 7, 0x0b, 2, 9])),
    ],
    ['bytes behind the segments', bytesOf(section(5, [1, ...memory64]), section(11, [1, 1, 0, 0]))],
    ['an offset of nothing', bytesOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x0b, 0]))],
    [
      'an offset of two values',
      bytesOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x42, 1, 0x42, 1, 0x0b, 0])),
    ],
    ['an offset that calls', bytesOf(section(5, [1, ...memory64]), section(11, [1, 0, 0x10, 0, 0x0b, 0]))],
    [
      'an offset of 33 bits',
      bytesOf(section(5, [1, 0, 1]), section(11, [1, 0, 0x41, 255, 255, 255, 255, 0x1f, 0x0b, 0])),
    ],
  ])('%s', (_, bytes) => {
    expect(() => readModule(bytes)).toThrow(InvalidModuleError);
  });
});
