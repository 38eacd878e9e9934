/**
 * Everything that two and three threads can do, one step at a time, with a death behind every write: the very functions that
 * production calls. See `support/exploring`.
 */
import { describe, expect, it } from 'vitest';

import { SCENARIOS } from '../support/exploring/scenarios.js';
import { loadSteps } from '../support/exploring/steps.js';

const steps = await loadSteps();

describe('every order of', () => {
  it.each(SCENARIOS)('$name', ({ run, leastStates }) => {
    const { states, ends } = run(steps);
    expect(states).toBeGreaterThan(leastStates);
    expect(ends).toBeGreaterThan(0);
  });
});
