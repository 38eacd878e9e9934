/** What the threads do, each small enough that everything can be tried. */
import type { Explored, Program } from '@guardstripe/test-support/exploring';
import type { Steps } from './steps.js';
import { World } from './world.js';

export interface NamedScenario {
  readonly name: string;
  readonly run: (steps: Steps) => Explored;
  /** Fewer would mean that the machine skips some. */
  readonly leastStates: number;
}

/** Takes a slot of a shard at home, and frees it. */
function takeAndFree(world: World, thread: number, shard = 0): Program {
  return [() => world.take(thread, shard), ([slot]) => world.free(thread, slot!)];
}

export const SCENARIOS: readonly NamedScenario[] = [
  {
    name: 'two threads that take and free, two deaths',
    leastStates: 3900,
    run(steps) {
      const world = new World(steps, 2, [2]);
      return world.explore([takeAndFree(world, 1), takeAndFree(world, 2)], 2);
    },
  },
  {
    name: 'two threads that want one slot, whose key is another one, two deaths',
    leastStates: 1500,
    run(steps) {
      const world = new World(steps, 2, [1]);
      const programs = [1, 2].map((thread) => takeAndFree(world, thread));
      return world.explore(programs, 2, [[1, () => void world.free(1, world.take(1, 0, 7))]]);
    },
  },
  {
    name: 'one that frees and two that take, two deaths',
    leastStates: 50_000,
    run(steps) {
      const world = new World(steps, 3, [2]);
      return world.explore(
        [[() => world.free(1, 0)], [() => world.take(2, 0)], [() => world.take(3, 0)]],
        2,
        [[1, () => void world.take(1, 0)]],
      );
    },
  },
  {
    name: 'one that hands slots over, one that frees at home, one that takes, one death',
    leastStates: 4500,
    run(steps) {
      const world = new World(steps, 3, [2], { handsOver: true });
      return world.explore(
        [[() => world.handOver(1, [0])], [() => world.free(2, 1)], [() => world.take(3, 0)]],
        1,
        [
          [1, () => void world.take(1, 0)],
          [2, () => void world.take(2, 0)],
        ],
      );
    },
  },
  {
    name: 'one that hands slots over and one that takes and hands over, two deaths',
    leastStates: 750,
    run(steps) {
      const world = new World(steps, 2, [2], { handsOver: true });
      return world.explore(
        [
          [() => world.handOver(1, [0, 1])],
          [
            () => world.take(2, 0),
            ([slot]) => world.handOver(2, [slot!]),
            () => world.take(2, 0),
            ([, , slot]) => world.free(2, slot!),
          ],
        ],
        2,
        [[1, () => void [world.take(1, 0), world.take(1, 0)]]],
      );
    },
  },
  {
    name: 'one that hands two slots over and two that wait, no death',
    leastStates: 2000,
    run(steps) {
      const world = new World(steps, 2, [2], { waits: true });
      return world.explore(
        [[() => world.waitOn(1)], [() => world.waitOn(2)], [() => world.handOver(3, [0, 1])]],
        0,
        [
          [3, () => void [world.take(3, 0), world.take(3, 0)]],
          [1, () => world.standInLine(1)],
          [2, () => world.standInLine(2)],
        ],
      );
    },
  },
  {
    name: 'one that frees and two that wait, of whom the first dies',
    leastStates: 25_000,
    run(steps) {
      const world = new World(steps, 2, [1], { waits: true, buries: true });
      return world.explore(
        [
          [() => world.waitOn(1), ([slot]) => world.free(1, slot!)],
          [() => world.waitOn(2)],
          [() => world.free(3, 0)],
        ],
        1,
        [
          [3, () => void world.take(3, 0)],
          [1, () => world.standInLine(1)],
          [2, () => world.standInLine(2)],
        ],
        [1],
      );
    },
  },
  {
    name: 'two that wait for a slot that is free, no death',
    leastStates: 5000,
    run(steps) {
      const world = new World(steps, 2, [1], { waits: true });
      return world.explore(
        [1, 2].map((thread) => [() => world.waitFor(thread), ([slot]) => world.free(thread, slot!)]),
        0,
      );
    },
  },
  {
    name: 'one that frees or dies and one that waits',
    leastStates: 1100,
    run(steps) {
      const world = new World(steps, 2, [1], { waits: true, buries: true });
      return world.explore([[() => world.free(1, 0)], [() => world.waitFor(2)]], 1, [
        [1, () => void world.take(1, 0)],
      ]);
    },
  },
  {
    name: 'one that hands over or dies and one that waits',
    leastStates: 900,
    run(steps) {
      const world = new World(steps, 2, [1], { handsOver: true, waits: true, buries: true });
      return world.explore([[() => world.handOver(1, [0])], [() => world.waitFor(2)]], 1, [
        [1, () => void world.take(1, 0)],
      ]);
    },
  },
  {
    name: 'one that gives up waiting and one that waits, no death',
    leastStates: 3000,
    run(steps) {
      const world = new World(steps, 2, [1], { waits: true });
      return world.explore(
        [[() => world.waitAndLeave(1), ([slot]) => world.free(1, slot!)], [() => world.waitFor(2)]],
        0,
      );
    },
  },
  {
    name: 'two that bury a third, and one of them dies',
    leastStates: 20_000,
    run(steps) {
      const world = new World(steps, 3, [1], { handsOver: true, buries: true });
      return world.explore(
        [[() => world.free(1, 0)], [() => world.bury(2), () => world.take(2, 0)], [() => world.bury(3)]],
        2,
        [[1, () => void world.take(1, 0)]],
      );
    },
  },
  {
    name: 'one that frees what another one adopts, one death',
    leastStates: 600,
    run(steps) {
      const world = new World(steps, 2, [1], { handsOver: true });
      return world.explore(
        [
          [() => world.free(1, 0)],
          [() => world.adopt(2, 0, 1), ([isOurs]) => (isOurs === 1 ? world.free(2, 0) : 0)],
        ],
        1,
        [[1, () => void world.take(1, 0)]],
      );
    },
  },
  {
    name: 'one that hands over what another one adopts, one death',
    leastStates: 230,
    run(steps) {
      const world = new World(steps, 2, [1], { handsOver: true });
      return world.explore(
        [
          [() => world.handOver(1, [0])],
          [() => world.adopt(2, 0, 1), ([isOurs]) => (isOurs === 1 ? world.handOver(2, [0]) : 0)],
        ],
        1,
        [[1, () => void world.take(1, 0)]],
      );
    },
  },
];
