/**
 * What a thread holds back, views that are not collected and pages that wait to be dropped, is for those who wait in other threads, too;
 * and a thread that does nothing hears nothing of them. So one that holds something back looks now and then.
 */

/** As long as the first of a line waits before it looks for itself. */
const LOOKS_MS = 50;

/** Looks, as long as there is a reason to. */
export class Attendance {
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #look: () => boolean;

  /** @param look - returns whether something is still held back */
  constructor(look: () => boolean) {
    this.#look = look;
  }

  /** Something is held back. Keeps no process alive. */
  begin(): void {
    this.#timer ??= setInterval(() => {
      if (!this.#look()) this.end();
    }, LOOKS_MS).unref();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
