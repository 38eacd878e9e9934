/** Everything that three threads can do to a store in flight, one step at a time, with a death behind every write. */
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../support/flight-world.js';

const steps = await import('../../src/moving/flight-steps.js');

describe('every order of', () => {
  it.each(SCENARIOS)('$name', ({ run, leastStates }) => {
    const { states, ends } = run(steps);
    expect(states).toBeGreaterThan(leastStates);
    expect(ends).toBeGreaterThan(0);
  });
});
