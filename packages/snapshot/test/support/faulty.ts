import { platform, SystemError, type VirtualMemory } from '@guardstripe/mmap';

export type CallName = {
  [K in keyof VirtualMemory]: VirtualMemory[K] extends (...args: never[]) => unknown ? K : never;
}[keyof VirtualMemory];

const ENOMEM = 12;

/** The real system, whose calls fail on demand: by name, or the nth from now on, whichever it is. */
export class FaultyMemory {
  readonly virtualMemory: VirtualMemory;
  /** Calls since the last {@link failFrom} or {@link heal}. */
  numCalls = 0;
  #failing: ReadonlySet<CallName> = new Set();
  #failFrom = Infinity;
  #lasting = false;

  constructor() {
    this.virtualMemory = new Proxy(platform(), {
      get: (target, name: keyof VirtualMemory) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return (...args: never[]): unknown => {
          this.#count(name as CallName);
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  }

  /** Every call of these names fails. */
  fail(...names: CallName[]): void {
    this.#failing = new Set(names);
  }

  /** The call number `first` fails, counted from 0; with `lasting` all that follow, too. */
  failFrom(first: number, lasting: boolean): void {
    this.numCalls = 0;
    this.#failFrom = first;
    this.#lasting = lasting;
  }

  heal(): void {
    this.#failing = new Set();
    this.failFrom(Infinity, false);
  }

  #count(name: CallName): void {
    // Moving and comparing bytes are no calls of the system.
    if (['copyBytes', 'fillZeros', 'sameBytes'].includes(name)) return;
    const number = this.numCalls++;
    const isNth = this.#lasting ? number >= this.#failFrom : number === this.#failFrom;
    if (isNth || this.#failing.has(name)) throw new SystemError(ENOMEM, { syscall: `injected-${name}` });
  }
}
