/** Counts what was checked, and keeps what was not as it must be: the program's exit code depends on it. */
export class Checks {
  made = 0;
  readonly failures: string[] = [];

  /** Records one check. `describe` is called only if it failed. */
  expect(ok: boolean, describe: () => string): boolean {
    this.made++;
    if (!ok) this.fail(describe());
    return ok;
  }

  /** Records what went wrong without a check. */
  fail(description: string): void {
    this.failures.push(description);
  }
}
