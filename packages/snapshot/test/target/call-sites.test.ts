/** What a look at the stack that is cut off leaves of the settings of Error. */
import { laps } from '@guardstripe/test-support';
import { nearTheEnd } from '@guardstripe/test-support/near-the-end';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { snapshot } from '../../src/index.js';
import { inTime, isTimeout } from '../support/cut-off.js';
import { instantiate } from '../support/wasm.js';

const { stackTraceLimit } = Error;
const formatterNow = (): unknown => Reflect.get(Error, 'prepareStackTrace');
const prepareStackTrace = formatterNow();
beforeEach(() => {
  Error.stackTraceLimit = 5;
});
afterEach(() => {
  Object.assign(Error, { stackTraceLimit, prepareStackTrace });
});

/** Runs something that may be cut off. Returns whether it was. */
function isCut(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (isTimeout(error) || error instanceof RangeError || code === 'ERR_SNAPSHOT_CALL_ON_STACK') return true;
    throw error;
  }
}

/** Looks again and again until something ends it. */
const endlessly = (look: () => void) => (): void => {
  for (;;) look();
};

describe.each<[string, ((error: Error, frames: NodeJS.CallSite[]) => unknown) | undefined]>([
  ['none of its own', undefined],
  ['one that writes stacks in its way', (error, frames) => `mine: ${error.message}, ${frames.length}`],
])('in a process with a formatter of stacks, %s,', (_, formatter) => {
  const wanted = formatter === undefined ? /^Error: seen\n +at .*call-sites/ : /^mine: seen, 5$/;

  it.each<[string, (run: () => void, lap: number) => void]>([
    ['the time of a script is over', (run, lap) => inTime(endlessly(run), 1 + (lap % 3))],
    ['the stack is at its end', (run, lap) => nearTheEnd(run, 1 + ((lap * 7) % 400))],
  ])('errors are as before when %s', (_how, cut) => {
    const { instance } = instantiate([{ initial: 1 }]);
    using state = snapshot(instance, { method: 'copy' });
    state.restore();
    Object.assign(Error, { prepareStackTrace: formatter });
    let numCuts = 0;
    const wrong = new Set<unknown>();
    for (let lap = 0; lap < laps(400); lap++) {
      if (isCut(() => cut(() => state.restore(), lap))) numCuts += 1;
      // The first error that anybody looks at is none the worse, and the settings are the process's own again.
      const seen: unknown = new Error('seen').stack;
      if (typeof seen !== 'string' || !wanted.test(seen)) wrong.add(seen);
      if (formatterNow() !== formatter) wrong.add(formatterNow());
      if (Error.stackTraceLimit !== 5) wrong.add(Error.stackTraceLimit);
    }
    expect([...wrong]).toEqual([]);
    expect(numCuts).toBeGreaterThan(0);
    state.restore();
  });
});
