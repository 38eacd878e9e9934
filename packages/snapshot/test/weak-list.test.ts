import { describe, expect, it } from 'vitest';

import { WeakList } from '../src/weak-list.js';

describe('a list of weak references', () => {
  it('has each object once, in the order in which they came', () => {
    const list = new WeakList<object>();
    const objects = Array.from({ length: 200 }, (_, i) => ({ i }));
    for (let round = 0; round < 3; round++) for (const object of objects) list.add(object);
    expect(list.living()).toEqual(objects);
  });
});
