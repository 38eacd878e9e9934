/** The sections of a module: their numbers, their order, and where each lies (core specification, "Modules"). */
import type { Cursor } from './cursor.js';

/** The sections that are looked into. All others are stepped over, so that the time does not depend on the code. */
export const SECTION = {
  custom: 0,
  import: 2,
  memory: 5,
  global: 6,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/**
 * Place of each section in a module, by its number. Three do not stand where their number says: tags before globals, the
 * count of data segments before the code that needs it, and the data last.
 */
const RANKS: readonly number[] = (() => {
  const order = [1, 2, 3, 4, SECTION.memory, SECTION.tag, SECTION.global, 7, 8, 9];
  const last = [SECTION.dataCount, SECTION.code, SECTION.data];
  const ranks: number[] = [];
  for (const [rank, id] of [...order, ...last].entries()) ranks[id] = rank;
  return ranks;
})();

/** Sees to it that each section is there once at most, and where it belongs; else indices would mean something else. */
export class SectionOrder {
  #lastRank = -1;

  /** `cursor` gives the place for the error. @throws {@link InvalidModuleError} */
  check(id: number, cursor: Cursor): void {
    if (id === SECTION.custom) return;
    const rank = RANKS[id];
    if (rank === undefined) throw cursor.error(`section ${id} is unknown`);
    if (rank <= this.#lastRank) throw cursor.error(`section ${id} is there twice or out of order`);
    this.#lastRank = rank;
  }
}
