/** Contenders take turns, so that what else the machine does hits all of them. */
import { setImmediate } from 'node:timers/promises';
import type { Contender, ContenderName } from './contenders.ts';

export interface Served {
  readonly name: ContenderName;
  /** The median over the rounds; each has a turn of the event loop in it, and what the collector does meanwhile. */
  readonly perSecond: number;
  /** Times as many as V8 in the same round: the median over the rounds. */
  readonly timesV8: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly requests: number;
}

export interface Rounds {
  readonly rounds: number;
  readonly turnMs: number;
}

export async function measure(
  contenders: readonly Contender[],
  { rounds, turnMs }: Rounds,
): Promise<Served[]> {
  const answers = new Set(contenders.map((contender) => contender.serve()));
  if (answers.size !== 1) throw new Error(`The contenders disagree: ${[...answers].join(', ')}`);
  const latencies = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  const rates = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (const contender of contenders) await turn(contender, turnMs * 5, []); // compilers do their work now
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < contenders.length; at++) {
      const contender = contenders[(at + round) % contenders.length]!;
      const all = latencies.get(contender.name) ?? [];
      const already = all.length;
      const ns = await turn(contender, turnMs, all);
      rates.get(contender.name)?.push((all.length - already) / (ns / 1e9));
    }
  }
  return contenders.map(({ name }) => {
    const sorted = Float64Array.from(latencies.get(name) ?? []).sort();
    const own = rates.get(name) ?? [];
    const v8 = rates.get('V8') ?? [];
    return {
      name,
      perSecond: Math.round(median(own)),
      timesV8: median(own.map((rate, round) => rate / (v8[round] ?? Number.NaN))),
      p50Us: quantile(sorted, 0.5) / 1000,
      p99Us: quantile(sorted, 0.99) / 1000,
      requests: sorted.length,
    };
  });
}

/** Serves for about `turnMs`; returns the nanoseconds it took in all. */
async function turn(contender: Contender, turnMs: number, latencies: number[]): Promise<number> {
  const start = process.hrtime.bigint();
  const end = start + BigInt(Math.round(turnMs * 1e6));
  for (let before = start; before < end;) {
    contender.serve();
    const now = process.hrtime.bigint();
    latencies.push(Number(now - before));
    before = now;
  }
  await setImmediate();
  return Number(process.hrtime.bigint() - start);
}

function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
