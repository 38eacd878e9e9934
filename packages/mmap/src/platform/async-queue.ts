/**
 * Calls on other threads, in the order asked for. koffi takes only so many at once from all of its users in this thread
 * (`max_async_calls`, 256 by default) and refuses the next; here they wait for their turn.
 */

/** Starts a call; `done` must be called when it has ended. Throws if it could not be started. */
export type Start = (done: () => void) => void;

/** More than libuv's pool has threads by default (4), and far below koffi's limit. */
const MAX_RUNNING = 64;
/** Until asking koffi again, when others have taken all it has and none of ours runs. */
const RETRY_MILLISECONDS = 10;

const waiting: { readonly start: Start; readonly failed: (error: unknown) => void }[] = [];
let running = 0;
let retrying = false;

/** Runs a call when its turn comes. */
export function inTurn(start: Start, failed: (error: unknown) => void): void {
  waiting.push({ start, failed });
  startNext();
}

function startNext(): void {
  while (running < MAX_RUNNING && waiting.length > 0 && !retrying) {
    const { start, failed } = waiting[0]!;
    running += 1;
    try {
      start(ended);
      waiting.shift();
    } catch (error) {
      running -= 1;
      if (!isFull(error)) {
        waiting.shift();
        failed(error);
      } else if (running > 0) return;
      else retryLater();
    }
  }
}

function ended(): void {
  running -= 1;
  startNext();
}

function retryLater(): void {
  retrying = true;
  setTimeout(() => {
    retrying = false;
    startNext();
  }, RETRY_MILLISECONDS);
}

/** koffi's plain error (call.cc). */
function isFull(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Too many asynchronous calls');
}
