/** The loop: a module of each seed, compared. */
import { adversarialModule } from './adversarial.ts';
import { Comparison, type Outcome } from './compare.ts';
import { generateModule } from './generate.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

/** What one seed stands for. */
export interface Case {
  readonly seed: number;
  readonly bytes: Uint8Array;
}

/** A module that is generated, mutated or adversarial, always the same for the same seed. */
export function makeCase(seed: number): Case {
  const random = new Random(seed);
  if (random.oneIn(40)) return { seed, bytes: adversarialModule(random) };
  const bytes = generateModule(random);
  return { seed, bytes: random.oneIn(3) ? bytes : mutate(bytes, random, generateModule(random)) };
}

/** How many modules fared how. */
export type Tally = Record<Outcome, number>;

/**
 * Compares modules of the seeds from `firstSeed` on.
 *
 * @param goOn - asked before each
 * @returns what was thrown, with the case it was thrown for, if anything was
 */
export function fuzz(
  firstSeed: number,
  tally: Tally,
  goOn: (count: number) => boolean,
): { readonly failed: Case; readonly error: unknown } | undefined {
  using dropping = new Comparison(0);
  using writing = new Comparison(1 << 20);
  for (let count = 0; goOn(count); count++) {
    const made = makeCase(firstSeed + count);
    try {
      tally[(count % 2 === 0 ? dropping : writing).compare(made.bytes)]++;
    } catch (error) {
      return { failed: made, error };
    }
  }
  return undefined;
}
