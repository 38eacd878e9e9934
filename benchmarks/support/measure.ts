/**
 * Timing on a machine that others use, too: every contender gets a turn in every round, so that noise hits all of them, and
 * what is reported is the median over the rounds.
 */
import { setImmediate } from 'node:timers/promises';

/** Something to be timed. */
export interface Contender {
  readonly name: string;
  /** Does it `iterations` times and resolves to the nanoseconds that took. */
  readonly time: (iterations: number) => Promise<number>;
}

/** What the rounds said of a contender, in nanoseconds an iteration. */
export interface Measurement {
  readonly name: string;
  readonly medianNs: number;
  readonly bestNs: number;
  readonly worstNs: number;
  /** Iterations of one round. */
  readonly iterations: number;
  /** One figure a round, in the order of the rounds: rounds of two contenders can be compared pairwise. */
  readonly roundsNs: readonly number[];
}

export interface MeasureOptions {
  readonly rounds: number;
  /** How long one contender's turn should take. */
  readonly turnMs: number;
}

/** The same in CPU time of this process, which a busy machine does not stretch. */
export function cpuTimed(name: string, run: (iterations: number) => void): Contender {
  return {
    name,
    async time(iterations) {
      const start = process.cpuUsage();
      run(iterations);
      await setImmediate();
      const { user, system } = process.cpuUsage(start);
      return (user + system) * 1000;
    },
  };
}

/** A contender in this process. A turn of the event loop is part of it, so that it pays for its own finalizers. */
export function inProcess(name: string, run: (iterations: number) => void): Contender {
  return {
    name,
    async time(iterations) {
      const start = process.hrtime.bigint();
      run(iterations);
      await setImmediate();
      return Number(process.hrtime.bigint() - start);
    },
  };
}

/** Times the contenders against each other. The first rounds find the number of iterations and are thrown away. */
export async function measure(
  contenders: readonly Contender[],
  { rounds, turnMs }: MeasureOptions,
): Promise<readonly Measurement[]> {
  const entries: { contender: Contender; iterations: number; roundsNs: number[] }[] = [];
  for (const contender of contenders) {
    entries.push({ contender, iterations: await calibrate(contender, turnMs), roundsNs: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const { contender, iterations, roundsNs } = at(entries, (turn + round) % entries.length);
      roundsNs.push((await contender.time(iterations)) / iterations);
    }
  }
  return entries.map(({ contender, iterations, roundsNs }) => ({
    name: contender.name,
    medianNs: median(roundsNs),
    bestNs: Math.min(...roundsNs),
    worstNs: Math.max(...roundsNs),
    iterations,
    roundsNs: roundsNs.map((ns) => Math.round(ns)),
  }));
}

/** How many times as long as `reference` it took: the median over the rounds, each compared with its own neighbour. */
export function ratio(measurement: Measurement, reference: Measurement): number {
  return median(measurement.roundsNs.map((ns, round) => ns / at(reference.roundsNs, round)));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2;
}

/**
 * Doubles until a turn is long enough, which also gives the compiler time to do its work. The best of five is taken for long
 * enough: what happens now and then (a library that loads, a collection, a range that is no longer watched, pruned, and watched
 * again, which takes three restores) would leave turns of a few iterations, and measure itself.
 */
async function calibrate(contender: Contender, turnMs: number): Promise<number> {
  for (let iterations = 1; ; iterations *= 2) {
    let ms = Infinity;
    for (let turn = 0; turn < 5 && ms >= turnMs / 2; turn++)
      ms = Math.min(ms, (await contender.time(iterations)) / 1e6);
    if (ms >= turnMs / 2) return Math.max(1, Math.round((iterations * turnMs) / ms));
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`No entry ${index}`);
  return value;
}
