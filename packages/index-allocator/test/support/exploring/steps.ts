/** What is tried. */
import type * as HandOver from '../../../src/shared/hand-over.js';
import type * as Line from '../../../src/shared/line.js';
import type * as Seats from '../../../src/shared/seats.js';
import type * as Sections from '../../../src/shared/sections.js';

/** The functions that production calls too, or some of them with a mistake put in. */
export interface Steps {
  readonly handOver: typeof HandOver;
  readonly line: typeof Line;
  readonly seats: typeof Seats;
  readonly sections: typeof Sections;
}

export async function loadSteps(): Promise<Steps> {
  return {
    handOver: await import('../../../src/shared/hand-over.js'),
    line: await import('../../../src/shared/line.js'),
    seats: await import('../../../src/shared/seats.js'),
    sections: await import('../../../src/shared/sections.js'),
  };
}
