/** The order in which test files are started: the longest first, so that at the end no core waits for one that has just begun. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

export class LongestFirst extends BaseSequencer {
  /** Files of all projects in one line. Those that share processes come last, project by project, or they would not share them. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const { alone = [], together = [] } = Object.groupBy(sorted, ({ project }) =>
      project.config.isolate ? 'alone' : 'together',
    );
    return [...alone.toSorted((a, b) => this.#milliseconds(b) - this.#milliseconds(a)), ...together];
  }

  /** In the last run. Before the first, it is known of examples and documentation alone that they take long: they run programs. */
  #milliseconds(file: TestSpecification): number {
    const last = this.ctx.cache.getTestSpecificationResult(file);
    return last?.duration ?? (/\/(?:docs|examples)\//.test(file.moduleId) ? Number.MAX_VALUE : 0);
  }
}
