import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { showAs } from '../src/index.js';

class Box {
  readonly #bytes: number;

  static {
    showAs(this.prototype, (box) => `Box { ${box.#bytes} bytes }`);
  }

  constructor(bytes: number) {
    this.#bytes = bytes;
  }
}

it('shows an instance in words, also inside of others', () => {
  expect(inspect(new Box(3))).toBe('Box { 3 bytes }');
  expect(inspect({ box: new Box(4) })).toBe('{ box: Box { 4 bytes } }');
});

it('names the class of what is no instance', () => {
  expect(inspect(Object.create(Box.prototype))).toBe('[Box]');
});

it('shows one instance alone, where its constructor says so', () => {
  class Bag {
    readonly #bytes: number;

    constructor(bytes: number) {
      this.#bytes = bytes;
      showAs(this, (bag) => `Bag { ${bag.#bytes} bytes }`);
    }
  }
  const bag = new Bag(5);
  expect(inspect([bag, new Bag(6)])).toBe('[ Bag { 5 bytes }, Bag { 6 bytes } ]');
  expect(Object.keys(bag)).toEqual([]);
  expect(inspect(Object.create(Bag.prototype))).toBe('Bag {}');
});

it('adds nothing that is counted among the keys', () => {
  expect(Object.keys(Box.prototype)).toEqual([]);
});
