/** Where a request's script runs: two ways, to be compared. */
import { setImmediate } from 'node:timers/promises';

import { createInstancePool } from '@guardstripe/snapshot';

import { BrokenInterpreterError, Interpreter, LIMITS, type Limits, type Outcome } from './interpreter.ts';

/** Runs scripts, each in an interpreter that no other script has touched. */
export interface Sandboxes extends AsyncDisposable {
  run(script: string, signal?: AbortSignal): Promise<Outcome>;
}

export const MODES = ['restored', 'fresh'] as const;
export type Mode = (typeof MODES)[number];

/**
 * Scripts hold the thread. Between two of them it hears of new requests, and of clients that have gone: their request, its end and that
 * of its connection come on three turns of the event loop.
 */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await setImmediate();
}

/** Ours: interpreters with the library loaded, each restored after its script. */
function restored(limits: Limits): Sandboxes {
  const pool = createInstancePool({
    create: () => Interpreter.create(limits),
    prepare: (interpreter) => interpreter.loadLibrary(),
    target: ({ memory }) => memory,
    size: 2,
  });
  return {
    async run(script, signal) {
      using lease = await pool.acquire(signal === undefined ? {} : { signal });
      await turns();
      signal?.throwIfAborted();
      try {
        return lease.instance.run(script);
      } catch (error) {
        if (!(error instanceof BrokenInterpreterError)) throw error;
        // A trap leaves the stack pointer where it was, which is no part of a snapshot.
        lease.discard(error);
        return { ok: false, error: 'The script broke the interpreter' };
      }
    },
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

/** What others do: a runtime, a context and the library for each request. */
function fresh(limits: Limits): Sandboxes {
  let shared = Interpreter.create(limits);
  return {
    async run(script) {
      const interpreter = (await shared).another();
      try {
        interpreter.loadLibrary();
        const outcome = interpreter.run(script);
        interpreter.dispose();
        return outcome;
      } catch {
        // Nothing of that instance can be trusted any more, for whoever comes next either.
        shared = Interpreter.create(limits);
        return { ok: false, error: 'The script broke the interpreter' };
      }
    },
    async [Symbol.asyncDispose]() {
      (await shared).dispose();
    },
  };
}

export function openSandboxes(mode: Mode, limits: Limits = LIMITS): Sandboxes {
  return mode === 'restored' ? restored(limits) : fresh(limits);
}
