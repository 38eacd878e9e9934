/**
 * How often the tests go round that draw lots, storm or soak. `pnpm test` runs each of them for a short while;
 * `GUARDSTRIPE_THOROUGH=1`, which CI sets, as long as it takes to trust them; a larger number as many times that, for a night.
 */
const THOROUGH = Number(process.env['GUARDSTRIPE_THOROUGH'] ?? 0);
if (!(THOROUGH >= 0)) throw new RangeError(`GUARDSTRIPE_THOROUGH must be a number, not below 0`);

/** A short while is this part of the laps in CI. */
const SHARE = 1 / 10;

/** Of cases that come by the hundred and differ in where something goes wrong, one in so many is tried in a short while. */
const STRIDE = 4;

/** How many laps a test goes that does `thorough` of them in CI: a tenth without the switch, or `short` where that is too few. */
export function laps(thorough: number, short = Math.ceil(thorough * SHARE)): number {
  return THOROUGH === 0 ? short : Math.ceil(thorough * THOROUGH);
}

/**
 * Of cases that CI tries one and all: one in four without the switch. Which ones is drawn for each run, so that all get their turn;
 * the names of their tests say which one failed.
 */
export function sampled<T>(cases: readonly T[]): readonly T[] {
  const first = Math.floor(Math.random() * STRIDE);
  return THOROUGH === 0
    ? cases.filter((_, at) => at % STRIDE === first % Math.min(STRIDE, cases.length))
    : cases;
}
