import { platform, SystemError, type VirtualMemory } from '../../src/index.js';

type CallName = {
  [K in keyof VirtualMemory]: VirtualMemory[K] extends (...args: never[]) => unknown ? K : never;
}[keyof VirtualMemory];

const ENOMEM = 12;

/** The real system, whose calls are written down and fail on demand, without being made. */
export class FaultyMemory {
  readonly calls: CallName[] = [];
  readonly virtualMemory: VirtualMemory;
  #failing = new Set<CallName>();
  #failsAt = 0;

  constructor() {
    const real = platform();
    this.virtualMemory = new Proxy(real, {
      get: (target, name: keyof VirtualMemory) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return (...args: never[]) => {
          const call = name as CallName;
          this.calls.push(call);
          if (this.#failing.has(call) || this.calls.length === this.#failsAt)
            throw new SystemError(ENOMEM, { syscall: `injected-${call}` });
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  }

  /** Every call of this name fails from now on. */
  fail(...names: CallName[]): void {
    this.#failing = new Set(names);
  }

  /** One call fails, the `nth` from now on; the first is 1. */
  failAt(nth: number): void {
    this.calls.length = 0;
    this.#failsAt = nth;
  }

  heal(): void {
    this.#failsAt = 0;
    this.#failing.clear();
  }
}
