/** Times for people: medians, for the machine has other things to do, too. */

/** Runs something a number of times; the median in milliseconds. */
export async function medianMs(times: number, run: (turn: number) => unknown): Promise<number> {
  const taken: number[] = [];
  for (let turn = 0; turn < times; turn++) {
    const start = performance.now();
    await run(turn);
    taken.push(performance.now() - start);
  }
  return taken.toSorted((a, b) => a - b)[times >> 1] ?? Number.NaN;
}

/** `4.49 s`, `3.27 ms`, `71.0 µs` */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  return ms < 1 ? `${(ms * 1000).toPrecision(3)} µs` : `${ms.toPrecision(3)} ms`;
}

/** Prints one line: what, and how long it takes. */
export function line(what: string, ms: number): void {
  console.log(`${what.padEnd(58)} ${duration(ms).padStart(9)}`);
}
