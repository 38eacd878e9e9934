/**
 * How often the tests go round that draw lots, storm or soak. `pnpm test` runs each of them for a short while;
 * `GUARDSTRIPE_THOROUGH=1`, which CI sets, as long as it takes to trust them; any other number so many times that: `0.5` in CI on a
 * second and third version of Node, more for a night.
 */
const THOROUGH = Number(process.env['GUARDSTRIPE_THOROUGH'] ?? 0);
if (!(THOROUGH >= 0)) throw new RangeError(`GUARDSTRIPE_THOROUGH must be a number, not below 0`);

/** A short while is this part of the laps in CI. */
const SHARE = 1 / 20;

/** Of cases that differ in where something goes wrong, or how, one in so many is tried. */
const STRIDE = THOROUGH === 0 ? 8 : Math.max(1, Math.round(1 / THOROUGH));

/** How many laps a test goes that does `thorough` of them in CI: a twentieth without the switch, or `short` where that is too few. */
export function laps(thorough: number, short = Math.ceil(thorough * SHARE)): number {
  return Math.max(short, Math.ceil(thorough * THOROUGH));
}

/**
 * Of cases that CI tries one and all: one in eight without the switch, and at least one. Which ones is drawn for each run, so that all
 * get their turn; the names of their tests say which one failed.
 */
export function sampled<T>(cases: readonly T[]): readonly T[] {
  const first = Math.floor(Math.random() * Math.min(STRIDE, cases.length));
  return cases.filter((_, at) => at % STRIDE === first);
}
